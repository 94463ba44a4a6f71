import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load-config.js';
import { nginxLocations } from '../../src/config/nginx-locations.js';
import { otherProxies, proxySnippet } from '../../src/config/proxy-snippets.js';
import { signPut, tokenSchemes } from '../../src/token/sign-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { type CommandResult, mainFile, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { missingPeer } from '../support/peers.js';
import { type Settings, startProgram } from '../support/program.js';
import { runReadmeCommand } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { bearer } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { ids } from '../support/uploader-ids.js';
import { put } from '../support/uploading.js';

function prosodyFiler(args: readonly string[], cwd?: string): Promise<CommandResult> {
  return run(process.execPath, [mainFile, ...args], cwd);
}

describe('every command', () => {
  for (const name of ['serve', 'init', 'sign', 'purge', 'delete', 'stats', 'check-config']) {
    it(`has help: ${name}`, async () => {
      const { code, stdout } = await prosodyFiler([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: prosody-filer ${name} [^]+ --config <file> `));
    });

    it(`exits with 2 for an unknown option: ${name}`, async () => {
      const { code, stdout, stderr } = await prosodyFiler([name, '--confg', 'x']);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^prosody-filer: unknown option '--confg'/);
    });
  }
});

describe('a reader that goes away', () => {
  /** Runs a command of the shell with $filer as the program. */
  function runInShell(script: string, folder: string): Promise<CommandResult> {
    const filer = `"${process.execPath}" "${mainFile}"`;
    return run('bash', ['-c', script.replaceAll('$filer', filer)], folder);
  }

  async function folderWithUploads(t: TestContext, count: number): Promise<string> {
    const folder = await tempDir(t);
    await writeFile(path.join(folder, 'config.toml'), 'secret = "s3cret"\nstoreDir = "store"\n');
    for (let index = 0; index < count; index += 1) {
      await mkdir(path.join(folder, `store/s${index}`), { recursive: true });
      await writeFile(path.join(folder, `store/s${index}/f`), 'x');
    }
    return folder;
  }

  it('does not end a purge', async (t) => {
    const folder = await folderWithUploads(t, 300);
    const script = '($filer purge --older-than 0s; echo "code $?" >code) | head -2; cat code; $filer stats';
    const { stdout, stderr } = await runInShell(script, folder);
    assert.match(stdout, /^(\S+ 1 s\d+\/f\n){2}code 0\n0 uploads, 0 B in /);
    assert.equal(stderr, '');
  });

  for (const [command, code] of [
    ['stats', 0],
    ['stats --json', 0],
    ['delete s0/f', 0],
    ['delete none/f', 1],
    ['sign s/f 5', 0],
    ['init --config other.toml', 0],
    ['check-config --config none.toml', 2],
    ['stats --config none.toml', 2],
    ['--help', 0],
    ['doctor http://127.0.0.1:9/', 1],
  ] as const) {
    it(`does not change the exit code: ${command}`, async (t) => {
      const folder = await folderWithUploads(t, 1);
      const wait = 'until [ -s code ]; do sleep 0.1; done; cat code';
      const { stdout } = await runInShell(`(sleep 0.1; $filer ${command}; echo $? >code) 2>&1 | true; ${wait}`, folder);
      assert.equal(stdout, `${code}\n`);
    });
  }

  it('differs from a full disk, which ends a command with 1', async (t) => {
    const { stdout, stderr } = await runInShell('$filer stats >/dev/full; echo $?', await folderWithUploads(t, 1));
    assert.equal(stdout, '1\n');
    assert.equal(stderr, 'prosody-filer: cannot write the output: ENOSPC: no space left on device, write\n');
  });
});

describe('init', () => {
  const baseUrl = 'https://uploads.example.org/upload/';

  it('runs as in the README: writes a configuration that only its owner can read, and prints settings for other servers', async (t) => {
    const folder = await tempDir(t);
    const { code, stdout, stderr } = await runReadmeCommand('prosody-filer init --base-url', folder);
    assert.deepEqual([code, stderr], [0, '']);
    const file = path.join(folder, 'config.toml');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const { config } = loadConfig(file);
    const [secret = ''] = config.secrets;
    assert.match(secret, /^[0-9a-f]{64}$/);
    for (const line of [
      '    http_upload_external_base_url = "https://uploads.example.org/upload/"',
      `    http_upload_external_secret = "${secret}"`,
      `    http_file_share_secret = "${secret}"`,
      '    put_url: "https://uploads.example.org/upload"',
      `    external_secret: "${secret}"`,
      `    http_file_secret = "${secret}"`,
      'location /upload/ {',
    ]) {
      assert.ok(stdout.split('\n').includes(line), line);
    }
    const [, deleteSecret = ''] = /http_file_delete_secret = "([0-9a-f]{64})"/.exec(stdout) ?? [];
    assert.ok((await readFile(file, 'utf8')).includes(`# deleteSecret = "${deleteSecret}"`));
    assert.equal(config.deleteSecret, undefined);
  });

  it("prints the lines for the proxies by the README's command", async (t) => {
    for (const proxy of ['nginx', ...otherProxies] as const) {
      const folder = await tempDir(t);
      const { stdout, stderr } = await runReadmeCommand('prosody-filer init --config', folder, ` --proxy ${proxy}`);
      const lines =
        proxy === 'nginx'
          ? nginxLocations(baseUrl, '/internal-uploads/', path.join(folder, 'upload'))
          : proxySnippet(proxy, baseUrl);
      assert.deepEqual([stderr, stdout.includes(`\n${lines}\n`)], ['', true], stdout);
    }
  });

  it('never replaces a configuration, and writes none for an invalid URL', async (t) => {
    const folder = await tempDir(t);
    const wrong = await prosodyFiler(['init', '--base-url', 'uploads.example.org'], folder);
    assert.deepEqual([wrong.code, wrong.stdout, await readdir(folder)], [2, '', []]);
    assert.match(wrong.stderr, /^prosody-filer: --base-url: expected a URL such as .*, got 'uploads\.example\.org'\n$/);
    await prosodyFiler(['init'], folder);
    const before = await readFile(path.join(folder, 'config.toml'), 'utf8');
    const again = await prosodyFiler(['init'], folder);
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, /config\.toml: cannot write a configuration there: EEXIST/);
    assert.equal(await readFile(path.join(folder, 'config.toml'), 'utf8'), before);
  });
});

describe('sign', () => {
  const curlMissing = missingPeer('curl');

  async function signing(t: TestContext, settings: Settings = {}) {
    const program = await startProgram(t, settings);
    const folder = await tempDir(t);
    await writeFile(
      path.join(folder, 'config.toml'),
      `secrets = ["${program.secret}", "old"]\nstoreDir = "${program.storeDir}"\nuploadSubDir = "upload/"\n`,
    );
    return { program, folder };
  }

  it('works as in the README, and curl uploads with its output', { skip: curlMissing }, async (t) => {
    const { program, folder } = await signing(t);
    await writeFile(path.join(folder, 'photo.jpg'), 'not really');
    const { code, stdout, stderr } = await runReadmeCommand('prosody-filer sign', folder);
    assert.deepEqual([code, stderr], [0, '']);
    const [url = '', curl = ''] = stdout.split('\n');
    assert.match(url, /^https:\/\/uploads\.example\.org\/upload\/test\/photo\.jpg\?v2=[0-9a-f]{64}$/);
    const here = curl.replace('https://uploads.example.org', program.origin);
    assert.equal((await run('bash', ['-c', here], folder)).code, 0);
    const got = await send(`${program.uploadUrl}test/photo.jpg`);
    assert.deepEqual([got.status, got.headers['content-type'], String(got.body)], [200, 'image/jpeg', 'not really']);
  });

  for (const scheme of tokenSchemes) {
    it(`makes a ${scheme} token that the server accepts, for any name`, { skip: curlMissing }, async (t) => {
      const { program, folder } = await signing(t, { strictContentType: true });
      const file = `it's [1-3] {a,b} "$HOME" né.txt`;
      await writeFile(path.join(folder, file), 'hello');
      const options = ['--scheme', scheme, '--type', 'text/x-é; a="b"', '--base-url', program.uploadUrl, '--json'];
      const { stdout } = await prosodyFiler(['sign', `slot/${file}`, file, ...options], folder);
      const { url, headers, size, curl } = JSON.parse(stdout);
      assert.equal(size, 5);
      assert.ok(
        url.startsWith(`${program.uploadUrl}slot/it%27s%20%5B1-3%5D%20%7Ba%2Cb%7D%20%22%24HOME%22%20n%C3%A9.txt`),
      );
      assert.equal(/^Bearer /.test(headers['Authorization']), scheme === 'bearer');
      assert.equal((await run('bash', ['-c', curl], folder)).code, 0);
      assert.equal((await run('bash', ['-c', curl], folder)).code, 22); // the slot is taken
      assert.equal(String((await send(url)).body), 'hello');
      assert.deepEqual(await filesIn(program.storeDir).then((files) => files.at(-1)), `slot/${file}`);
    });
  }

  it('accepts a size in place of a file, and knows where the server listens', async (t) => {
    const { folder } = await signing(t);
    const { code, stdout } = await prosodyFiler(['sign', 'slot/f.png', '23026', '--scheme', 'v1'], folder);
    assert.equal(code, 0);
    assert.match(stdout, /^http:\/\/127\.0\.0\.1:5050\/upload\/slot\/f\.png\?v=[0-9a-f]{64}\ncurl .*'f\.png'/);
  });

  it('ends with 2 for an upload that the server would refuse', async (t) => {
    const { folder } = await signing(t);
    const wrong: [RegExp, ...string[]][] = [
      [/^prosody-filer: path: expected .*, got 'slot\/\.\.': the path contains the segment "\.\."\n$/, 'slot/..', '5'],
      [/^prosody-filer: path: .* reserved folder/, '.prosody-filer/x', '5'],
      [/^prosody-filer: path: expected .*, got 'a\/b\/f': a Bearer token needs/, 'a/b/f', '5', '--scheme', 'bearer'],
      [/^prosody-filer: file: expected .*, got 'none': ENOENT/, 's/f', 'none'],
      [/^prosody-filer: file: expected .*, got '\.', which is not a regular file/, 's/f', '.'],
      [/argument 'v3' is invalid\. Allowed choices are v2, token, v1, bearer, slot\./, 's/f', '5', '--scheme', 'v3'],
      [/missing required argument 'file\|size'/, 's/f'],
    ];
    for (const [message, ...args] of wrong) {
      const { code, stdout, stderr } = await prosodyFiler(['sign', ...args], folder);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    }
  });
});

describe('stats', () => {
  const dayMs = 24 * 60 * 60 * 1000;

  async function folderFor(t: TestContext, storeDir: string): Promise<string> {
    const folder = await tempDir(t);
    await writeFile(path.join(folder, 'config.toml'), `secret = "s3cret"\nstoreDir = "${storeDir}"\n`);
    return folder;
  }

  it('runs as in the README, beside a running server, and counts each upload and each uploader once', async (t) => {
    const program = await startProgram(t);
    const exp = Math.floor(Date.now() / 1000) + 300;
    const claims = {
      slot: 's1',
      filename: 'f.jpg',
      filesize: 3000,
      filetype: 'image/webp',
      exp,
      sub: 'romeo@example.org',
    };
    const headers = { authorization: bearer(claims, { key: program.secret }) };
    await send(`${program.uploadUrl}s1/f.jpg`, { method: 'PUT', headers, body: Buffer.alloc(3000) });
    const stranger = 'c0ffee'.padEnd(64, '0');
    await put(program, `${stranger}/slot/f.jpg`, Buffer.alloc(700));
    for (const id of Object.values(ids)) await put(program, `${id}/slot/f.jpg`, Buffer.alloc(100));
    await put(program, 's2/f.txt', Buffer.alloc(20), { 'content-type': 'text/plain; charset=utf-8' });
    await put(program, 's3/f.txt', Buffer.alloc(10));
    const lastMonth = new Date(Date.now() - 40 * dayMs);
    await utimes(path.join(program.storeDir, 's3/f.txt'), lastMonth, lastMonth);
    const before = await filesIn(program.storeDir);

    const folder = await folderFor(t, program.storeDir);
    const rule =
      'secrets = ["mysecret", "old-secret"]\n[[retention]]\nmatch = "*.txt"\nexpiresAfter = "1d"\n[[retention]]\nmatch = "f.jpg"\nlargerThan = "2KB"\nexpiresAfter = "100w"\n';
    await appendFile(path.join(folder, 'config.toml'), rule);
    const { code, stdout, stderr } = await runReadmeCommand('prosody-filer stats', folder);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      `7 uploads, 4.03 KB in ${program.storeDir}`,
      '',
      'by type',
      '  image/webp  1  3.00 KB',
      '  image/jpeg  4  1.00 KB',
      '  text/plain  2     30 B',
      '',
      'by age',
      '  up to 1 day     6  4.02 KB',
      '  up to 7 days    0      0 B',
      '  up to 28 days   0      0 B',
      '  up to 365 days  1     10 B',
      '  older           0      0 B',
      '',
      'by expiry',
      '  at the next sweep  1     10 B',
      '  within 1 day       1     20 B',
      '  within 7 days      0      0 B',
      '  within 28 days     0      0 B',
      '  later              1  3.00 KB',
      '  never              4  1.00 KB',
      '',
      'largest uploaders',
      `  ${'romeo@example.org'.padEnd(64)}  4  3.30 KB`,
      `  ${stranger}  1    700 B`,
    ]);
    const { stdout: json } = await prosodyFiler(['stats', '--json'], folder);
    const { storeDir, files, bytes, types, uploaders } = JSON.parse(json);
    assert.deepEqual([storeDir, files, bytes], [program.storeDir, 7, 4030]);
    assert.deepEqual(types[2], { name: 'text/plain', files: 2, bytes: 30 });
    assert.deepEqual(uploaders, [
      { name: 'romeo@example.org', files: 4, bytes: 3300 },
      { name: stranger, files: 1, bytes: 700 },
    ]);
    assert.deepEqual(await filesIn(program.storeDir), before);
  });

  it('counts by purpose if a client named one', async (t) => {
    const program = await startProgram(t);
    const slot = { key: 'avatar/f.txt' as UploadKey, size: 20, contentType: 'text/plain' };
    const { query } = await signPut('slot', program.secret, slot, { purpose: 'profile' });
    await send(`${program.uploadUrl}avatar/f.txt?${query}`, { method: 'PUT', body: Buffer.alloc(20) });
    await put(program, 's/f.txt', Buffer.alloc(10));
    const { stdout } = await prosodyFiler(['stats'], await folderFor(t, program.storeDir));
    assert.match(stdout, /^by purpose\n {2}profile {2}1 {2}20 B\n {2}message {2}1 {2}10 B\n$/m);
  });

  it('counts 0 uploads in an empty folder, and ends with 1 if the folder does not exist, without creating it', async (t) => {
    const storeDir = await tempDir(t);
    const empty = await prosodyFiler(['stats'], await folderFor(t, storeDir));
    assert.deepEqual(empty, { code: 0, stdout: `0 uploads, 0 B in ${storeDir}\n`, stderr: '' });
    const { code, stdout, stderr } = await prosodyFiler(['stats'], await folderFor(t, path.join(storeDir, 'none')));
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^prosody-filer: storeDir: expected a folder with uploads, ENOENT/);
    assert.deepEqual(await readdir(storeDir), []);
  });
});
