import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { mainFile, projectFolder, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { nginxOfInit } from '../support/init-lines.js';
import { freePort, missingPeer, skipOrFail } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { v1Token } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { type Debian, debians } from './debian.js';
import { startNginx } from './nginx.js';
import { type Prosody, startProsody } from './prosody.js';
import { connectXmppClient, type Slot, type XmppServer } from './xmpp-client.js';

const day = 24 * 60 * 60;

/** Uploads a file with a slot from this server. */
async function upload(t: TestContext, server: XmppServer, filename: string, contentType: string): Promise<Slot> {
  const client = await connectXmppClient(t, server);
  const body = Buffer.from(`this is ${filename}`);
  const slot = await client.requestSlot({ filename, contentType, size: body.length });
  const headers = { ...slot.put.headers, 'content-type': contentType };
  assert.equal((await send(slot.put.url, { method: 'PUT', headers, body })).status, 201);
  await client.stop();
  return slot;
}

it('takes over configuration and files of the Go program unchanged', async (t) => {
  let program: RunningProcess | undefined;
  t.after(() => program?.stop());
  const folder = await tempDir(t);
  const config = `# All keys of the Go program, each in its own letter case
listenport = "127.0.0.1:0"
unixSocket = false
Secret     = "s3cret"
storeDir   = "./uploads/"
UploadSubDir = "upload/"
logLevel   = "info"
`;
  await writeFile(path.join(folder, 'config.toml'), config);
  const uploads = {
    '57bb1d75-2bd7-46b2-8360-55301d168628/très cool.jpg': 'image/jpeg',
    '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572/wqrMMc7txe2Ptcv1wSoAl8MWHGnLvFbPLql9Os9C/page.html': 'text/html',
    'slot/without an extension': 'application/octet-stream',
  };
  for (const name of Object.keys(uploads)) {
    const file = path.join(folder, 'uploads', name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, name);
  }
  await symlink('/etc/passwd', path.join(folder, 'uploads/slot/link'));
  const before = await filesIn(folder);

  program = new RunningProcess(process.execPath, [mainFile, '-config', 'config.toml'], { cwd: folder });
  const { address } = JSON.parse(await program.waitForLine((line) => line.includes('"msg":"listening"')));
  for (const [name, type] of Object.entries(uploads)) {
    const url = `${address}/upload/${encodeURI(name)}`;
    const { status, headers, body } = await send(url);
    assert.deepEqual([status, headers['content-type'], body.toString()], [200, type, name]);
    assert.equal(headers['content-disposition'] === undefined, type === 'image/jpeg');
    const again = { method: 'PUT', body: Buffer.from('other') };
    assert.equal((await send(`${url}?v=${v1Token(name, 5, 's3cret')}`, again)).status, 409);
  }
  assert.equal((await send(`${address}/upload/slot/link`)).status, 404);
  assert.equal((await send(`${address}/upload/slot/new`, { method: 'PUT', body: Buffer.from('x') })).status, 403);
  assert.deepEqual(await filesIn(folder), before);
  assert.equal(await readFile(path.join(folder, 'config.toml'), 'utf8'), config);
});

async function moveFiles(t: TestContext, debian: Debian): Promise<void> {
  const port = await freePort();
  const settings = { baseUrl: `http://127.0.0.1:${port}/file_share/`, secret: 's3cret' };
  const prosody = await startProsody(t, { ...settings, issuer: 'file_share itself' }, debian);
  const old = {
    'très + cool & "50%".jpg': 'image/jpeg',
    'video without an extension': 'video/mp4',
    'page.html': 'text/html; charset=utf-8',
  };
  const slots: [slot: Slot, type: string, served: Buffer][] = [];
  for (const [name, type] of Object.entries(old)) {
    const slot = await upload(t, prosody, name, type);
    slots.push([slot, type, (await send(slot.get)).body]);
  }
  const { get: refused } = await upload(t, prosody, '..', 'text/plain');
  const client = await connectXmppClient(t, prosody);
  await client.requestSlot({ filename: 'never uploaded', size: 5 });
  await client.stop();

  await prosody.restart({ ...settings, issuer: 'file_share' });
  const filer = await startProgram(t, {
    listenPort: `127.0.0.1:${port}`,
    uploadSubDir: 'file_share/',
    secret: settings.secret,
  });
  const command = readmeBlock('sh', 'mod_file_share_move')
    .replace('/usr/lib/prosody/modules', prosody.pluginFolder)
    .replace('prosodyctl', prosody.prosodyctl.join(' '))
    .replace('example.org', prosody.domain);
  const move = async (expectedCode: number) => {
    const { code, stdout, stderr } = await run('bash', ['-c', command], projectFolder);
    assert.equal(code, expectedCode, stdout);
    assert.equal(/^not moved: .*\/\.\.\. .*^1 of 4 files were not moved\. /ms.test(stdout), expectedCode === 1, stdout);
    assert.doesNotMatch(stdout + stderr, / of 3 files/);
    return stdout.match(/^\d{3}(?= http)/gm);
  };
  const elsewhere = await run('bash', ['-c', command.replace('upload.', 'nowhere.')], projectFolder);
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.stdout, /^usage: prosodyctl mod_file_share_move HOST$/m);
  assert.deepEqual(await move(1), ['201', '201', '201']);
  await removeStored(prosody, refused);
  for (const [{ get }, type, served] of slots) {
    const { status, headers, body } = await send(get);
    assert.deepEqual([status, headers['content-type']], [200, type]);
    assert.ok(body.equals(served));
    const maxAge = Number(/max-age=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]);
    assert.ok(maxAge > 28 * day - 60 && maxAge <= 28 * day, `${maxAge} s are left`);
  }
  const isDownload = ({ method, status, uploader }: Readonly<Record<string, unknown>>) =>
    method === 'GET' && status === 200 && uploader === 'alice@localhost';
  await filer.waitForLog(isDownload);
  assert.deepEqual(await move(0), ['409', '409', '409']);
  const onTerminal = await run('script', ['-qec', command, '/dev/null'], projectFolder);
  assert.equal(onTerminal.stdout.match(/409 http/g)?.length, 3, onTerminal.stdout);
  assert.match(onTerminal.stdout, /0 of 3 files.*3 of 3 files, \d+\.\d\d MB, \d+\.\d\d MB\/s/s);
  await upload(t, prosody, 'new.txt', 'text/plain');
}

/** Removes a file from the store of mod_http_file_share. */
async function removeStored({ pluginFolder }: Prosody, url: string): Promise<void> {
  const folder = path.dirname(pluginFolder);
  const [slot = ''] = url.split('/').slice(-2);
  const file = (await filesIn(folder)).find((name) => decodeURIComponent(path.basename(name)) === `${slot}.bin`);
  await rm(path.join(folder, file ?? 'no such file'));
}

for (const debian of debians) {
  it(`moves the files of mod_http_file_share of ${debian.prosody} by the README's command`, async (t) => {
    const reason = debian.missingPeer('prosody', 'prosodyctl', 'curl');
    if (reason !== undefined) return t.skip(reason);
    await moveFiles(t, debian);
  });
}

const shareScript = '/usr/share/doc/prosody-modules/examples/share.php';

it('serves beside share.php, so that old links keep working', async (t) => {
  let php: RunningProcess | undefined;
  t.after(() => php?.stop());
  const reason = missingPeer('prosody', 'prosodyctl', 'nginx', 'php');
  if (reason !== undefined) return t.skip(reason);
  const script = await readFile(shareScript, 'utf8').catch(() => undefined);
  if (script === undefined) return t.skip(skipOrFail(`not there: ${shareScript}`));
  const folder = await tempDir(t);
  const store = await tempDir(t);
  const withSettings = script
    .replace("= '/tmp'", `= '${store}'`)
    .replaceAll('this is your secret string', 'old-secret');
  await writeFile(path.join(folder, 'share.php'), withSettings);
  const phpAddress = `127.0.0.1:${await freePort()}`;
  php = new RunningProcess('php', ['-S', phpAddress, '-t', folder]);
  await php.waitForLine((line) => line.includes('started'));

  const filer = await startProgram(t, { secret: 'new-secret' });
  const [inServer, beforeServer] = nginxOfInit(filer);
  const scriptLocation = `location /share.php/ { proxy_pass http://${phpAddress}; }`;
  const nginx = await startNginx(t, `${inServer} ${scriptLocation}`, beforeServer);
  const shareUrl = `${nginx}/share.php/`;
  const prosody = await startProsody(t, { issuer: 'v1', baseUrl: shareUrl, secret: 'old-secret' });
  const { get } = await upload(t, prosody, 'été.txt', 'text/plain');
  assert.match((await filesIn(store)).join(), /^store-[0-9a-f]{64}$/);

  await prosody.restart({ issuer: 'v2', baseUrl: `${nginx}/upload/`, secret: 'new-secret' });
  const slot = await upload(t, prosody, 'new.txt', 'text/plain');
  assert.equal((await send(get)).body.toString(), 'this is été.txt');
  assert.equal((await send(slot.get)).body.toString(), 'this is new.txt');
  const token = v1Token('slot/f', 1, 'new-secret');
  const refused = await send(`${shareUrl}slot/f?v=${token}`, { method: 'PUT', body: Buffer.from('x') });
  assert.equal(refused.status, 403);
});
