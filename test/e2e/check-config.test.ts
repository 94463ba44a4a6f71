import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { asNobody, nobody } from '../support/nobody.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { runReadmeCommand } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { beginPut } from '../support/uploading.js';

const notRoot = process.getuid?.() !== 0 && 'needs root';
const good = { listenPort: '127.0.0.1:0', secret: '0123456789abcdef', storeDir: 'upload' };

/** A folder with a configuration that only its owner can read, and that everybody may enter. */
async function folderWith(t: TestContext, settings: object = {}): Promise<string> {
  const folder = await tempDir(t);
  await chmod(folder, 0o755);
  const lines = Object.entries({ ...good, ...settings }).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  await writeFile(path.join(folder, 'config.toml'), lines.join(''), { mode: 0o600 });
  return folder;
}

function checkConfig(folder: string, args: readonly string[] = [], command: readonly string[] = []) {
  const [program = '', ...rest] = [...command, process.execPath, mainFile, 'check-config', ...args];
  return run(program, rest, folder);
}

describe('check-config', () => {
  it('is run as in the README: a line for each check, and nothing left behind', async (t) => {
    const folder = await folderWith(t);
    const { code, stdout, stderr } = await runReadmeCommand('prosody-filer check-config', folder);
    assert.deepEqual([code, stderr], [0, '']);
    for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^(ok {5}|warning) {2}\S/);
    for (const what of ['config.toml', 'secret', 'storeDir', 'listenPort', 'clock', 'maxUploads']) {
      assert.match(stdout, new RegExp(`  (\\./)?${what}: `));
    }
    assert.deepEqual(await readdir(folder), ['config.toml']);
  });

  const found: Record<string, [code: number, settings: object, line: RegExp]> = {
    'a published secret': [1, { secret: 'mysecret' }, /^problem {2}.*secret: this one is published/m],
    'a short secret': [
      1,
      { secret: 'fifteen bytes..' },
      /^problem {2}secret: 15 bytes can be guessed: take a random one/m,
    ],
    'a full disk': [
      1,
      { minFreeSpace: '999999TB' },
      /^problem {2}minFreeSpace: .* are free, 1000\.00 PB must stay so/m,
    ],
    'a mistake': [
      2,
      { sekret: 'x' },
      /^failure {2}\.\/config\.toml: sekret: expected a known key\. Did you mean secret\?/m,
    ],
    'what a library would refuse at the start': [
      2,
      { trustProxy: ['0.0.0.0/0'] },
      /^failure {2}\.\/config\.toml: trustProxy\[0\]: expected an address, a network such as "10\.0\.0\.0\/8" with a prefix length of at least 1, or "unix", got '0\.0\.0\.0\/0'$/m,
    ],
    'a storeDir that is a file': [
      2,
      { storeDir: mainFile },
      /^failure {2}storeDir: expected a folder .*main\.js is a file/m,
    ],
    'a foreign address': [
      2,
      { listenPort: '192.0.2.1:0' },
      /^failure {2}listenPort: .*: this host has no such address/m,
    ],
    'a foreign address for metrics': [
      2,
      { metricsListen: '192.0.2.1:9' },
      /^failure {2}metricsListen: .*: this host has no such address/m,
    ],
    'a socket in no folder': [
      2,
      { unixSocket: true, listenPort: 'none/filer.sock' },
      /^failure {2}listenPort: cannot listen on .*: the folder .* does not exist/m,
    ],
    'a socket that is none': [
      2,
      { unixSocket: true, listenPort: 'config.toml' },
      /^failure {2}listenPort: .* exists and is not a socket/m,
    ],
    'more uploads than open files': [
      0,
      { maxUploads: 1e9 },
      /^warning {2}maxUploads: .* uploads need 2000000100: raise the limit/m,
    ],
    'modes that keep nginx out, where it is to send the files': [
      1,
      { fileMode: '0600', accelRedirect: '/internal-uploads/' },
      /^problem {2}storeDir: .* may not read uploads: change fileMode/m,
    ],
    'modes that keep nginx out': [
      0,
      { fileMode: '0600' },
      /^warning {2}storeDir: where nginx serves files itself, its user [\w-]+ may not read uploads: change fileMode/m,
    ],
  };
  for (const [what, [expected, settings, line]] of Object.entries(found)) {
    it(`finds ${what} and ends with ${expected}`, async (t) => {
      const folder = await folderWith(t, settings);
      const { code, stdout } = await checkConfig(folder);
      assert.match(stdout, line);
      assert.equal(code, expected);
      assert.deepEqual(await readdir(folder), ['config.toml']);
    });
  }

  it('finds a configuration that everybody can read, but not where it holds no secret', async (t) => {
    const folder = await folderWith(t);
    await chmod(path.join(folder, 'config.toml'), 0o644);
    const { code, stdout } = await checkConfig(folder);
    assert.equal(code, 1);
    assert.match(stdout, /^problem {2}\.\/config\.toml: everybody on this host can read the secret: chmod o= /m);

    await writeFile(path.join(folder, 'secret'), good.secret, { mode: 0o600 });
    const config = 'listenPort = "127.0.0.1:0"\nsecretFile = "secret"\nstoreDir = "upload"\n';
    await writeFile(path.join(folder, 'config.toml'), config);
    assert.equal((await checkConfig(folder)).code, 0);
  });

  it('only warns of an address that somebody listens on', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { code, stdout } = await checkConfig(await folderWith(t, { listenPort: `127.0.0.1:${port}` }));
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^warning {2}listenPort: .*another program listens there already; all is well if it is prosody-filer$/m,
    );
  });

  it('tells of the clock what timedatectl tells', async (t) => {
    const folder = await folderWith(t);
    const tools = path.join(folder, 'bin');
    await mkdir(tools);
    for (const [script, line] of [
      ['echo yes', /^ok {7}clock: synchronised$/m],
      ['echo no', /^warning {2}clock: not synchronised: /m],
      ['exit 1', /^warning {2}clock: whether it is synchronised is unknown/m],
    ] as const) {
      await writeFile(path.join(tools, 'timedatectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      assert.match((await checkConfig(folder, [], ['env', `PATH=${tools}:/usr/bin:/bin`])).stdout, line);
    }
  });

  it('disturbs no running server, nor what it is receiving', async (t) => {
    const program = await startProgram(t);
    const connection = await beginPut(t, program, 'slot/f', 10, '01234');
    const folder = await folderWith(t, { storeDir: program.storeDir });
    await eventually(async () => (await filesIn(program.storeDir)).length > 0);
    const before = await filesIn(program.storeDir);
    assert.equal((await checkConfig(folder)).code, 0);
    assert.deepEqual(await filesIn(program.storeDir), before);
    connection.socket.write('56789');
    await connection.waitFor(/^HTTP\/1\.1 201 Created/);
  });

  it('finds a filesystem without hard links', { skip: missingPeer('strace') }, async (t) => {
    const folder = await folderWith(t);
    const calls = 'link,linkat';
    const strace = [
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=EPERM`,
    ];
    const { code, stdout } = await checkConfig(folder, [], strace);
    assert.equal(code, 2);
    assert.match(
      stdout,
      /^failure {2}storeDir: expected a filesystem with hard links, linking a file in .* failed: EPERM/m,
    );
    assert.deepEqual(await readdir(folder), ['config.toml']);
  });

  it('prints JSON for scripts', async (t) => {
    const { code, stdout } = await checkConfig(await folderWith(t, { secret: 'mysecret' }), ['--json']);
    const { checks, exitCode } = JSON.parse(stdout);
    assert.deepEqual([code, exitCode], [1, 1]);
    assert.deepEqual(checks[0], { verdict: 'ok', message: './config.toml: no mistake in it' });
  });
});

describe('check-config for nginx', { skip: notRoot }, () => {
  const modes = { fileMode: '0640', dirMode: '0750' };

  /** What it says of nginx's user, where storeDir has that user's group and this mode. */
  async function checkStoreDir(t: TestContext, mode: number): Promise<string> {
    const folder = await folderWith(t, modes);
    const group = Number((await run('id', ['-g', 'www-data'])).stdout);
    await mkdir(path.join(folder, 'upload'));
    await chown(path.join(folder, 'upload'), 0, group);
    await chmod(path.join(folder, 'upload'), mode);
    const { stdout } = await checkConfig(folder);
    assert.deepEqual(await readdir(path.join(folder, 'upload')), []);
    return stdout;
  }

  it('is fine with uploads that inherit the group of storeDir', async (t) => {
    assert.match(await checkStoreDir(t, 0o2750), /^ok {7}storeDir: nginx's user www-data can read uploads$/m);
  });

  it('finds that uploads do not inherit it', async (t) => {
    assert.match(
      await checkStoreDir(t, 0o750),
      /^warning {2}storeDir: .* may not enter the folders of uploads: change dirMode \(they get mode 0750, user 0, group 0\), or set the group/m,
    );
  });
});

it('check-config and the start warn of a job of cron that deletes in storeDir', { skip: notRoot }, async (t) => {
  const program = await startProgram(t);
  const file = `/etc/cron.d/prosody-filer-test-${process.pid}`;
  t.after(() => rm(file, { force: true }));
  await mkdir(path.dirname(file), { recursive: true });
  // A day that never comes.
  await writeFile(file, `0 0 31 2 * root find ${program.storeDir} -type d -mtime +28 | xargs rm -rf\n`);
  const warning = `storeDir: ${file} seems to delete in ${program.storeDir}. `;
  const { stdout } = await run(process.execPath, [mainFile, 'check-config', '--config', program.configFile]);
  assert.ok(stdout.includes(`warning  ${warning}`), stdout);
  const next = await startProgram(t, { storeDir: program.storeDir });
  assert.ok(next.output().includes(warning));
});

describe('check-config --user', { skip: notRoot }, () => {
  it('checks with the rights of that user', async (t) => {
    const folder = await folderWith(t);
    const unreadable = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(unreadable.code, 2);
    assert.match(
      unreadable.stdout,
      /^failure {2}\.\/config\.toml: expected a configuration file, but reading it failed: EACCES/,
    );

    await chown(path.join(folder, 'config.toml'), nobody, nobody);
    const unwritable = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(unwritable.code, 2);
    assert.match(unwritable.stdout, /^failure {2}storeDir: expected a folder that this user may write to, EACCES/m);

    await mkdir(path.join(folder, 'upload/.prosody-filer/temporary'), { recursive: true });
    await chown(path.join(folder, 'upload'), nobody, nobody);
    const afterRoot = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(afterRoot.code, 2);
    assert.match(afterRoot.stdout, /^failure {2}storeDir: .*EACCES.*\.prosody-filer/m);

    for (const name of ['.prosody-filer', '.prosody-filer/temporary'])
      await chown(path.join(folder, 'upload', name), nobody, nobody);
    const { code, stdout } = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(code, 0);
    assert.match(stdout, /^ok {7}storeDir: .*upload can be written to and has hard links$/m);
    assert.deepEqual(await filesIn(folder), ['config.toml']);
  });

  it('checks with all of its groups, as the host names them', async (t) => {
    const folder = await folderWith(t);
    const group = 4242;
    const script = `#!/bin/sh\n[ "$1" = -u ] && echo ${nobody} || echo ${nobody} ${group}\n`;
    await writeFile(path.join(folder, 'id'), script, { mode: 0o755 });
    await chown(path.join(folder, 'config.toml'), 0, group);
    await chmod(path.join(folder, 'config.toml'), 0o640);
    const { stdout } = await checkConfig(folder, ['--user', 'svc'], ['env', `PATH=${folder}:/usr/bin:/bin`]);
    assert.match(stdout, /^ok {7}\.\/config\.toml: no mistake in it/);
  });

  it('ends with 2 for a user that does not exist, and for whoever is not root', async (t) => {
    const folder = await folderWith(t);
    const unknown = await checkConfig(folder, ['--user', 'no-such-user']);
    assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
    assert.match(unknown.stderr, /--user: expected a user of this host, got 'no-such-user'/);
    const notRoot = await checkConfig(folder, ['--user', 'root'], asNobody);
    assert.deepEqual([notRoot.code, notRoot.stdout], [2, '']);
    assert.match(notRoot.stderr, /--user: only root can check as another user/);
  });
});
