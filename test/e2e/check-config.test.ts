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
  it('prints a line for each check, as the README says, and leaves nothing behind', async (t) => {
    const folder = await folderWith(t);
    const { code, stdout, stderr } = await runReadmeCommand('prosody-filer check-config', folder);
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    const checks = lines.filter((line) => !line.startsWith('        ')).slice(0, -1);
    for (const line of checks) assert.match(line, /^(ok {5}|warning) [\w ]{16} \S/);
    assert.equal(lines.at(-1), `./config.toml: ${checks.length} checks, problems: 0`);
    for (const what of ['config', 'secret', 'storeDir', 'listenPort', 'clock', 'open files']) {
      assert.ok(
        checks.some((line) => line.slice(8, 25).trimEnd() === what),
        stdout,
      );
    }
    assert.match(stdout, /^ok {6}config {11}\.\/config\.toml /m);
    assert.match(stdout, /^ok {6}open files {7}maxUploads = /m);
    assert.deepEqual(await readdir(folder), ['config.toml']);
  });

  const found: Record<string, [code: number, settings: object, line: RegExp]> = {
    'a published secret': [1, { secret: 'mysecret' }, /^PROBLEM secret {11}.*secret: this one is published/m],
    'a short secret': [
      1,
      { secret: 'fifteen bytes..' },
      /^PROBLEM secret {11}A secret of 15 bytes can be guessed\..*\n {8}change: Replace it by a random secret/m,
    ],
    'a full disk': [
      1,
      { minFreeSpace: '999999TB' },
      /^PROBLEM free space {7}.* are free, less than minFreeSpace \(1000\.00 PB\)/m,
    ],
    'a mistake': [
      2,
      { sekret: 'x' },
      /^FAILURE config {11}\.\/config\.toml: sekret: expected a known key\. Did you mean secret\?/m,
    ],
    'a value that a library would refuse at the start': [
      2,
      { trustProxy: ['0.0.0.0/0'] },
      /^FAILURE config {11}\.\/config\.toml: trustProxy\[0\]: expected an address, a network such as "10\.0\.0\.0\/8" with a prefix length of at least 1, or "unix", got '0\.0\.0\.0\/0'$/m,
    ],
    'a storeDir that is a file': [
      2,
      { storeDir: mainFile },
      /^FAILURE storeDir {9}expected a folder .*main\.js is a file/m,
    ],
    'a foreign address': [
      2,
      { listenPort: '192.0.2.1:0' },
      /^FAILURE listenPort {7}.*: this host has no such address/m,
    ],
    'a foreign address for metrics': [
      2,
      { metricsListen: '192.0.2.1:9' },
      /^FAILURE metricsListen {4}.*: this host has no such address/m,
    ],
    'a socket in no folder': [
      2,
      { unixSocket: true, listenPort: 'none/filer.sock' },
      /^FAILURE listenPort {7}cannot listen on .*: the folder .* does not exist/m,
    ],
    'a file in place of a socket': [
      2,
      { unixSocket: true, listenPort: 'config.toml' },
      /^FAILURE listenPort {7}.* exists and is not a socket/m,
    ],
    'more uploads than open files': [
      0,
      { maxUploads: 1e9 },
      /^warning open files {7}maxUploads = \d+ needs 2000000100 open files .*\n {8}change: Raise the limit/m,
    ],
    'modes that keep nginx out where accelRedirect is set': [
      1,
      { fileMode: '0600', accelRedirect: '/internal-uploads/' },
      /^PROBLEM nginx {12}.* may not read uploads: .*\n {8}change: Set fileMode = "0640" in config\.toml and restart/m,
    ],
    'modes that keep nginx out': [
      0,
      { fileMode: '0600' },
      /^warning nginx {12}nginx \(user [\w-]+\) may not read uploads: .*\n {8}change: Nothing, if nginx passes each request on\. To let nginx send the files: Set fileMode = "0640"/m,
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
    assert.match(
      stdout,
      /^PROBLEM secret files {5}Everybody on this host can read the secret in \.\/config\.toml\.\n {8}change: chmod o= /m,
    );

    await writeFile(path.join(folder, 'secret'), good.secret, { mode: 0o600 });
    const config = 'listenPort = "127.0.0.1:0"\nsecretFile = "secret"\nstoreDir = "upload"\n';
    await writeFile(path.join(folder, 'config.toml'), config);
    assert.equal((await checkConfig(folder)).code, 0);
  });

  it('warns of a file with more than the secret in it', async (t) => {
    const folder = await folderWith(t);
    await writeFile(path.join(folder, 'secret'), `\uFEFF${good.secret} \n\n`, { mode: 0o600 });
    const config = 'listenPort = "127.0.0.1:0"\nsecretFile = "secret"\nstoreDir = "upload"\n';
    await writeFile(path.join(folder, 'config.toml'), config);
    const { code, stdout } = await checkConfig(folder);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^warning secret files {5}secretFile: secret has a byte order mark, white space or .*\n {8}change: /m,
    );
  });

  it('only warns where another program listens on the address', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { code, stdout } = await checkConfig(await folderWith(t, { listenPort: `127.0.0.1:${port}` }));
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^warning listenPort {7}.*another program listens there already\n {8}change: Nothing, if that program is prosody-filer\./m,
    );
  });

  it('reports what timedatectl says about the clock', async (t) => {
    const folder = await folderWith(t);
    const tools = path.join(folder, 'bin');
    await mkdir(tools);
    for (const [script, line] of [
      ['echo yes', /^ok {6}clock {12}The clock of this host is synchronised\.$/m],
      ['echo no', /^warning clock {12}The clock of this host is not synchronised\. /m],
      ['exit 1', /^warning clock {12}There is no timedatectl to ask whether/m],
    ] as const) {
      await writeFile(path.join(tools, 'timedatectl'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      assert.match((await checkConfig(folder, [], ['env', `PATH=${tools}:/usr/bin:/bin`])).stdout, line);
    }
  });

  it('disturbs neither a running server nor an upload in progress', async (t) => {
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

  it('warns of a filesystem without hard links', { skip: missingPeer('strace') }, async (t) => {
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
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^warning storeDir {9}its filesystem has no hard links \(EPERM\), so .* another program .* there$/m,
    );
    assert.deepEqual(await readdir(folder), ['config.toml']);
  });

  it('shows on a terminal which check runs, and colours outcomes', { skip: missingPeer('script') }, async (t) => {
    const folder = await folderWith(t, { secret: 'mysecret' });
    const command = `env -u CI TERM=xterm ${process.execPath} ${mainFile} check-config`;
    const { stdout } = await run('script', ['-qec', command, '/dev/null'], folder);
    const shown = stdout.replaceAll('\x1b', '^');
    assert.match(shown, /checking storeDir/);
    assert.match(shown, /\^\[32mok {6}\^\[0mconfig/);
    assert.match(shown, /\^\[31mPROBLEM \^\[0msecret/);
  });

  it('prints JSON for scripts', async (t) => {
    const { code, stdout } = await checkConfig(await folderWith(t, { secret: 'mysecret' }), ['--json']);
    const { findings, problems, exitCode } = JSON.parse(stdout);
    assert.deepEqual([code, problems, exitCode], [1, 1, 1]);
    assert.deepEqual(findings[0], { check: 'config', outcome: 'ok', found: './config.toml has no mistakes.' });
  });
});

describe('check-config for nginx', { skip: notRoot }, () => {
  const modes = { fileMode: '0640', dirMode: '0750' };

  /** What check-config prints where storeDir has the group of nginx's user and this mode. */
  async function checkStoreDir(t: TestContext, mode: number, settings: object = {}): Promise<string> {
    const folder = await folderWith(t, { ...modes, ...settings });
    const group = Number((await run('id', ['-g', 'www-data'])).stdout);
    await mkdir(path.join(folder, 'upload'));
    await chown(path.join(folder, 'upload'), 0, group);
    await chmod(path.join(folder, 'upload'), mode);
    const { stdout } = await checkConfig(folder);
    assert.deepEqual(await readdir(path.join(folder, 'upload')), []);
    return stdout;
  }

  it('accepts uploads that inherit the group of storeDir', async (t) => {
    const stdout = await checkStoreDir(t, 0o2750, { accelRedirect: '/internal-uploads/' });
    assert.match(stdout, /^ok {6}nginx {12}nginx \(user www-data\) can read uploads, as accelRedirect requires\.$/m);
  });

  it('says what to set if accelRedirect is not set, with the lines for nginx', async (t) => {
    const stdout = await checkStoreDir(t, 0o2750);
    assert.match(
      stdout,
      /^ok {6}nginx {12}nginx can read uploads, but accelRedirect is not set: .*\n {8}change: Set accelRedirect = "\/internal-uploads\/" in config\.toml and restart prosody-filer\. In nginx, add to the server block:\n.*\n {10}location \/internal-uploads\/ \{$/m,
    );
    assert.match(stdout, /^ {14}alias \/.*\/upload\/;$/m);
    assert.match(stdout, /problems: 0$/m);
  });

  it('warns where uploads do not inherit it', async (t) => {
    assert.match(
      await checkStoreDir(t, 0o750),
      /^warning nginx {12}.* may not enter the folders of uploads: they get mode 0750, user 0, group 0\.\n {8}change: .*: Run as root: give .* the group of nginx/m,
    );
  });
});

it('check-config and the start warn about a cron job that deletes in storeDir', { skip: notRoot }, async (t) => {
  const program = await startProgram(t);
  const file = `/etc/cron.d/prosody-filer-test-${process.pid}`;
  t.after(() => rm(file, { force: true }));
  await mkdir(path.dirname(file), { recursive: true });
  // A day that never comes.
  await writeFile(file, `0 0 31 2 * root find ${program.storeDir} -type d -mtime +28 | xargs rm -rf\n`);
  const warning = `${file} seems to delete files in ${program.storeDir}. `;
  const { stdout } = await run(process.execPath, [mainFile, 'check-config', '--config', program.configFile]);
  assert.ok(stdout.includes(`warning cron             ${warning}`), stdout);
  const next = await startProgram(t, { storeDir: program.storeDir });
  assert.ok(next.output().includes(`storeDir: ${warning}`));
});

describe('check-config --user', { skip: notRoot }, () => {
  it('checks with the rights of that user', async (t) => {
    const folder = await folderWith(t);
    const unreadable = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(unreadable.code, 2);
    assert.match(
      unreadable.stdout,
      /^FAILURE config {11}\.\/config\.toml: expected a configuration file, but reading it failed: EACCES/,
    );

    await chown(path.join(folder, 'config.toml'), nobody, nobody);
    const unwritable = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(unwritable.code, 2);
    assert.match(unwritable.stdout, /^FAILURE storeDir {9}expected a folder that this user may write to, EACCES/m);

    await mkdir(path.join(folder, 'upload/.prosody-filer/temporary'), { recursive: true });
    await chown(path.join(folder, 'upload'), nobody, nobody);
    const afterRoot = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(afterRoot.code, 2);
    assert.match(afterRoot.stdout, /^FAILURE storeDir {9}.*EACCES.*\.prosody-filer/m);

    for (const name of ['.prosody-filer', '.prosody-filer/temporary'])
      await chown(path.join(folder, 'upload', name), nobody, nobody);
    const { code, stdout } = await checkConfig(folder, ['--user', 'nobody']);
    assert.equal(code, 0);
    assert.match(stdout, /^ok {6}storeDir {9}This user can write to .*upload, and its file system has hard links\.$/m);
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
    assert.match(stdout, /^ok {6}config {11}\.\/config\.toml has no mistakes\./);
  });

  it('ends with 2 for a user that does not exist, and without root', async (t) => {
    const folder = await folderWith(t);
    const unknown = await checkConfig(folder, ['--user', 'no-such-user']);
    assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
    assert.match(unknown.stderr, /--user: expected a user of this host, got 'no-such-user'/);
    const notRoot = await checkConfig(folder, ['--user', 'root'], asNobody);
    assert.deepEqual([notRoot.code, notRoot.stdout], [2, '']);
    assert.match(notRoot.stderr, /--user: only root can check as another user/);
  });
});
