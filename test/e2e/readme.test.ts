import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { access, cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load-config.js';
import { projectFolder, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { nginxOfInit } from '../support/init-lines.js';
import { layoutSettings } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { v1Token, v2Token } from '../support/tokens.js';
import { startNginx } from './nginx.js';

it("the README's first command serves from a fresh checkout", async (t) => {
  let program: RunningProcess | undefined;
  t.after(() => program?.stop());
  const checkout = await tempDir(t);
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], projectFolder);
  for (const name of stdout.split('\0').filter((file) => file !== '')) {
    await cp(path.join(projectFolder, name), path.join(checkout, name));
  }
  program = new RunningProcess('bash', ['-c', readmeBlock('sh', 'npm start')], { cwd: checkout });
  await program.waitForLine((line) => line.includes('"address":"http://127.0.0.1:5050"'), 120_000);
  const [, secret = ''] = /^secret += "(\w+)"$/m.exec(await readFile(path.join(checkout, 'config.toml'), 'utf8')) ?? [];
  const url = 'http://127.0.0.1:5050/upload/slot/f';
  const put = { method: 'PUT', body: Buffer.from('hello') };
  assert.equal((await send(`${url}?v=${v1Token('slot/f', 5, secret)}`, put)).status, 201);
  assert.equal((await send(url)).body.toString(), 'hello');
  assert.equal(await readFile(path.join(checkout, 'upload/slot/f'), 'utf8'), 'hello');
});

it('the nginx of init passes uploads and downloads unchanged', async (t) => {
  const reason = missingPeer('nginx');
  if (reason !== undefined) return t.skip(reason);
  const storeDir = await tempDir(t);
  const { origin, secret } = await startProgram(t, { storeDir, secret: 'a secret of both' });
  const behind = await startProgram(t, { storeDir, secret, ...layoutSettings.b });
  const [inServer, beforeServer] = nginxOfInit(behind);
  // As Debian's nginx.conf has it.
  const debian = 'include /etc/nginx/mime.types; default_type application/octet-stream; gzip on;';
  const nginx = await startNginx(t, inServer, `${debian}\n${beforeServer}`);
  const names = {
    'hello%20world.txt': 'hello world.txt',
    '%e6%97%a5%e6%9c%ac%20r%c3%a9sum%c3%a9%2bplus%26amp%25%34%31%252F.pdf': '日本 résumé+plus&amp%41%2F.pdf',
    'a%23b%3fc%3bd%3de.html': 'a#b?c;d=e.html',
  };
  const body = randomBytes(5_000_000);
  for (const [encoded, name] of Object.entries(names)) {
    const target = `/upload/slot/${encoded}`;
    const token = v2Token(`slot/${name}`, body.length, 'application/pdf', secret);
    const headers = { 'content-type': 'application/pdf' };
    const put = await send({ origin: nginx, rawTarget: `${target}?v2=${token}` }, { method: 'PUT', headers, body });
    assert.equal(put.status, 201, JSON.stringify(behind.logLines().at(-1)));
    const proxied = await send({ origin: nginx, rawTarget: target });
    assert.ok(proxied.body.equals(body));
    const direct = await send({ origin, rawTarget: target });
    for (const header of Object.keys(direct.headers).filter((key) => !/^(date|connection|keep-alive)$/.test(key))) {
      assert.equal(proxied.headers[header], direct.headers[header], header);
    }
  }
  const sent = behind.logLines().filter(({ method }) => method === 'GET');
  assert.deepEqual(new Set(sent.map(({ sentBy }) => sentBy)), new Set(['nginx']));
  const page = '/upload/slot/a%23b%3fc%3bd%3de.html';
  const packed = await send({ origin: nginx, rawTarget: page }, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], undefined);
  const refused = await send(`${nginx}/upload/slot/large`, { method: 'PUT', body });
  assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [403, '*']);
  assert.equal((await send({ origin: nginx, rawTarget: '/upload/slot/..' })).status, 400);
});

it("the README's retention settings are valid", async (t) => {
  const folder = await tempDir(t);
  const file = path.join(folder, 'config.toml');
  await writeFile(file, `secret = "s"\nstoreDir = "${folder}/upload"\n${readmeBlock('toml', '[[retention]]')}`);
  const { config } = loadConfig(file);
  assert.equal(config.retention.rules.length, 3);
  assert.equal(config.limits.maxStoreSize, 50e9);
});

it("the README's component settings are valid", async (t) => {
  const folder = await tempDir(t);
  const file = path.join(folder, 'config.toml');
  await writeFile(file, `secret = "s"\nstoreDir = "${folder}/upload"\n${readmeBlock('toml', '[component]')}`);
  const { component } = loadConfig(file).config;
  assert.deepEqual([component?.access, component?.secret], [['example.org'], 'the-component-secret']);
});

it("the README's bucket settings are valid", async (t) => {
  const folder = await tempDir(t);
  const [file, secretFile] = [path.join(folder, 'config.toml'), path.join(folder, 's3')];
  await writeFile(secretFile, 's3cret');
  const [shared = '', ...services] = readmeBlock('toml', '# AWS').split('\n\n');
  const endpoints = {
    '# AWS': undefined,
    '# Cloudflare R2': 'https://0123456789abcdef.r2.cloudflarestorage.com',
    '# Ceph, MinIO': 'https://s3.example.net',
  };
  assert.equal(services.length, Object.keys(endpoints).length);
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const service = services.find((text) => text.startsWith(name)) ?? assert.fail(`the README has no ${name}`);
    const table = `${shared}\n${service.replace(/^# (?=\w+ = )/gm, '')}`.replace('/etc/prosody-filer/s3', secretFile);
    await writeFile(file, `secret = "s"\n${table}`);
    const { s3 } = loadConfig(file).config;
    assert.deepEqual([s3?.bucket, s3?.endpointUrl], ['example-uploads', endpoint]);
    assert.equal(s3?.credentials?.secretAccessKey, 's3cret');
  }
});

it("the README's links lead to its headings and to files, and its contents to every chapter", async () => {
  const text = (await readFile(path.join(projectFolder, 'README.md'), 'utf8')).replace(/^```.*?^```$/gms, '');
  const headings = [...text.matchAll(/^(#+) (.*)$/gm)].map(([, level = '', title = '']) => ({
    isChapter: level === '##',
    // As GitHub makes them.
    anchor: `#${title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-')}`,
  }));
  const anchors = new Set(headings.map(({ anchor }) => anchor));
  assert.equal(anchors.size, headings.length, 'two headings have the same anchor');
  for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith('#')) assert.ok(anchors.has(target), `no heading is ${target}`);
    else if (!target.startsWith('https://')) await access(path.join(projectFolder, target));
  }
  const [contents = ''] = /^## Contents$.*?(?=^## )/ms.exec(text) ?? [];
  for (const { anchor } of headings.filter(({ isChapter }) => isChapter)) {
    assert.ok(anchor === '#contents' || contents.includes(`(${anchor})`), `the contents lack ${anchor}`);
  }
});

it('the example configuration starts, with a warning, and names every setting', async (t) => {
  const example = await readFile(path.join(projectFolder, 'config.example.toml'), 'utf8');
  const folder = await tempDir(t);
  await writeFile(path.join(folder, 'config.toml'), example.replace(':5050', ':0'));
  const program = new RunningProcess(process.execPath, [path.join(projectFolder, 'dist/main.js')], { cwd: folder });
  t.after(() => program.stop());
  await program.waitForLine((line) => line.includes('this one is published'));
  await program.waitForLine((line) => line.includes('listening'));
  const { settingsSchema } = await import('../../src/config/settings.js');
  const readme = await readFile(path.join(projectFolder, 'README.md'), 'utf8');
  const { s3Table } = await import('../../src/config/s3-settings.js');
  const { componentTable } = await import('../../src/config/component-settings.js');
  for (const key of [settingsSchema, s3Table, componentTable].flatMap(({ properties }) => Object.keys(properties))) {
    assert.match(example, new RegExp(`^(# )?(${key} +=|\\[+${key}\\]+$)`, 'm'));
    assert.match(readme, new RegExp(`\`\\[*${key}\\]*\``), `the README does not name ${key}`);
  }
});

it('every setting that is commented out in the example is valid', async (t) => {
  const example = await readFile(path.join(projectFolder, 'config.example.toml'), 'utf8');
  const inFolder = example.replace(/^# \[s3\]$.*?(?=^# \[component\])/ms, '');
  const inBucket = example.replace(/^(# )?(storeDir|fileMode|dirMode|minFreeSpace|accelRedirect) .*$/gm, '');
  for (const text of [inFolder, inBucket]) await requireTaken(t, text);
});

async function requireTaken(t: TestContext, example: string): Promise<void> {
  // A table may have its secret as text or in a file, not both.
  const once = example.replace(/^# (secretAccessKey = .*|secretFile = ".*\/component")$/gm, '');
  const on = once.replace(/^# (?=\w+ +=|\[)/gm, '');
  const secretFile = path.join(await tempDir(t), 'secret');
  await writeFile(secretFile, 's3cret');
  const file = path.join(path.dirname(secretFile), 'config.toml');
  await writeFile(file, on.replace(/\/run\/credentials\/[\w.-]+\/(secret|s3)/g, secretFile));
  assert.deepEqual(loadConfig(file).config.secrets, ['mysecret', 's3cret', 'old-secret']);
}
