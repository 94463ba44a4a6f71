import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type CommandResult, projectFolder, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { findProgram, freePort, missingPeer } from '../support/peers.js';
import { readmeBlock } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';

const installing = readmeBlock('sh', 'tar -xzf');
const goingBack = readmeBlock('sh', '/opt/prosody-filer.next && mv');
const olderVersion = '0.0.1';

/** Where the release of this machine's architecture lies, as if downloaded. */
const downloads = await tempDir({ after });
/** The only folder in PATH: what the README's commands need, and no node. */
const bin = await tempDir({ after });
const { version } = JSON.parse(await readFile(path.join(projectFolder, 'package.json'), 'utf8')) as { version: string };
const tarball = path.join(downloads, `prosody-filer-${version}-linux-${process.arch}.tar.gz`);
const debianArch = process.arch === 'x64' ? 'amd64' : process.arch;
const debianPackage = path.join(downloads, `prosody-filer_${version}_${debianArch}.deb`);
const missing = missingPeer('dpkg-deb');

before(async () => {
  if (missing !== undefined) return;
  for (const name of ['gzip', 'ln', 'mv', 'readlink', 'sh', 'sha256sum', 'tar']) {
    await symlink(findProgram(name) ?? assert.fail(`${name} is missing`), path.join(bin, name));
  }
  const options = [`--output=${downloads}`, `--arch=${process.arch}`, '--level=1'];
  const script = ['--import', 'tsx', '.ci/release.ts', ...options];
  const { code, stderr } = await run(process.execPath, script, projectFolder);
  assert.equal(code, 0, stderr);
});

/** Runs one of the README's blocks for this version in the folder of the download, with another folder as /opt. */
function follow(block: string, opt: string, wanted: string, folder = downloads): Promise<CommandResult> {
  const commands = block
    .replaceAll('prosody-filer-1.0.0', `prosody-filer-${wanted}`)
    .replace('-linux-x64', `-linux-${process.arch}`)
    .replaceAll('/opt', opt);
  return run('env', ['-i', `PATH=${bin}`, 'sh', '-c', `! command -v node && ${commands}`], folder);
}

async function succeed(result: Promise<CommandResult>): Promise<void> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, stdout + stderr);
}

/** Makes an earlier version of the release, and starts it. */
async function installOlder(opt: string): Promise<void> {
  await succeed(follow(installing, opt, version));
  const folder = path.join(opt, `prosody-filer-${olderVersion}`);
  await rename(path.join(opt, `prosody-filer-${version}`), folder);
  const file = path.join(folder, 'package.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), version: olderVersion }));
  await succeed(follow(goingBack, opt, olderVersion));
}

function installed(opt: string): string {
  return path.join(opt, 'prosody-filer/bin/prosody-filer');
}

/** Starts the installed release; resolves to its version. */
async function start(t: TestContext, opt: string, configFile: string) {
  const program = new RunningProcess(installed(opt), ['--config', configFile], { env: { PATH: bin } });
  t.after(() => program.stop());
  await program.waitForLine((line) => line.includes('"msg":"listening"'));
  const executable = await readlink(`/proc/${program.pid}/exe`);
  return { program, runs: path.relative(opt, executable) };
}

async function configure(t: TestContext) {
  const storeDir = await tempDir(t);
  const configFile = path.join(await tempDir(t), 'config.toml');
  const listenPort = `127.0.0.1:${await freePort()}`;
  const server = { origin: `http://${listenPort}`, secret: 's3cret' };
  const settings = { listenPort, secret: server.secret, storeDir, uploadSubDir: 'upload/' };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  await writeFile(configFile, lines.join(''));
  return { storeDir, configFile, server };
}

describe('a release', { skip: missing ?? false }, () => {
  it('serves without node in PATH, through any symbolic link', async (t) => {
    const opt = await tempDir(t);
    await succeed(follow(installing, opt, version));
    const link = path.join(await tempDir(t), 'prosody-filer');
    await symlink(installed(opt), link);
    const { stdout } = await run('env', ['-i', `PATH=${bin}`, link, '--version']);
    assert.equal(stdout, `prosody-filer ${version}\n`);
    const { configFile, server } = await configure(t);
    const { runs } = await start(t, opt, configFile);
    assert.equal(runs, `prosody-filer-${version}/lib/node`);
    assert.equal((await put(server, 's/f', Buffer.from('hello'))).status, 201);
    assert.equal((await get(server, 's/f')).body.toString(), 'hello');
  });

  it("gets its command, its unit, a user and a secret that only its owner reads by the README's commands for the tarball", async (t) => {
    const reason = missingPeer('openssl', 'systemd-sysusers');
    if (reason !== undefined) return t.skip(reason);
    const [opt, root] = [await tempDir(t), await tempDir(t)];
    await succeed(follow(installing, opt, version));
    const [commands, units] = [path.join(root, 'usr/local/bin'), path.join(root, 'etc/systemd/system')];
    for (const folder of [commands, units]) await mkdir(folder, { recursive: true });
    const preparing = readmeBlock('sh', 'openssl rand')
      .replaceAll('/opt', opt)
      .replace('systemd-sysusers ', `systemd-sysusers --root=${root} `)
      .replaceAll(/(?<=[ >])\/(?=usr|etc)/g, `${root}/`);
    await succeed(run('sh', ['-c', `set -e\n${preparing}`]));
    const { stdout } = await run('env', ['-i', `PATH=${bin}`, path.join(commands, 'prosody-filer'), '--version']);
    assert.equal(stdout, `prosody-filer ${version}\n`);
    const unit = 'prosody-filer.service';
    assert.equal(
      await readFile(path.join(units, unit), 'utf8'),
      await readFile(path.join(projectFolder, unit), 'utf8'),
    );
    const groups = await readFile(path.join(root, 'etc/group'), 'utf8');
    assert.match(groups, /^prosody-filer:[^:]*:\d+:www-data$/m);
    const secret = path.join(root, 'etc/prosody-filer/secret');
    assert.equal((await stat(secret)).mode & 0o777, 0o600);
    assert.match(await readFile(secret, 'utf8'), /^[0-9a-f]{64}\n$/);
  });

  it('holds what an operator needs, owned by root, of one time, in order', async () => {
    const { stdout } = await run('tar', ['-tvzf', tarball, '--numeric-owner', '--full-time']);
    const entries = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s+/));
    const names = entries.map(([, , , , , name = '']) => name.replace(`prosody-filer-${version}/`, ''));
    for (const name of [
      'bin/prosody-filer',
      'config.example.toml',
      'prosody-filer.service',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'src/contrib/docker/compose.yaml',
      'src/contrib/grafana/prosody-filer.json',
      'src/contrib/prometheus/prosody-filer.rules.yml',
      'src/contrib/prosody/mod_file_share_move.lua',
      'src/contrib/systemd/prosody-filer.socket',
      'lib/node-LICENSE',
      'dist/LICENSES.txt',
    ]) {
      assert.ok(names.includes(name), `${name} is missing`);
    }
    assert.deepEqual(
      names.filter((name) => name.includes('node_modules')),
      [],
    );
    assert.deepEqual(new Set(entries.map(([, owner]) => owner)), new Set(['0/0']));
    assert.equal(new Set(entries.map(([, , , date, time]) => `${date} ${time}`)).size, 1);
    for (const [mode] of entries) assert.match(mode ?? '', /^(drwxr-xr-x|-rw[x-]r-[x-]r-[x-])$/);
  });

  it('is not installed if it does not match SHA256SUMS', async (t) => {
    const opt = await tempDir(t);
    const folder = await tempDir(t);
    await succeed(run('cp', [tarball, path.join(downloads, 'SHA256SUMS'), folder]));
    await appendFile(path.join(folder, path.basename(tarball)), 'x');
    assert.notEqual((await follow(installing, opt, version, folder)).code, 0);
    assert.deepEqual(await filesIn(opt), []);
  });

  it('replaces the previous one in the middle of an upload, and can be rolled back', async (t) => {
    const opt = await tempDir(t);
    await installOlder(opt);
    const { storeDir, configFile, server } = await configure(t);
    const older = await start(t, opt, configFile);
    assert.equal(older.runs, `prosody-filer-${olderVersion}/lib/node`);

    const across = await beginPut(t, server, 's/across', 200_000, Buffer.alloc(100_000, 'a'));
    await eventually(async () => (await filesIn(storeDir)).length === 1);
    await succeed(follow(installing, opt, version));
    const olderStops = older.program.stop();
    await older.program.waitForLine((line) => line.includes('finishing the running transfers'));
    const newer = await start(t, opt, configFile);
    assert.equal(newer.runs, `prosody-filer-${version}/lib/node`);
    assert.equal((await put(server, 's/meanwhile', Buffer.from('new'))).status, 201);
    across.socket.write(Buffer.alloc(100_000, 'b'));
    await across.waitFor(/^HTTP\/1\.1 201 /);
    assert.deepEqual(await olderStops, { code: 0, signal: null });
    const whole = Buffer.concat([Buffer.alloc(100_000, 'a'), Buffer.alloc(100_000, 'b')]);
    assert.ok((await get(server, 's/across')).body.equals(whole));

    const back = await beginPut(t, server, 's/back', 10, '01234');
    await succeed(follow(goingBack, opt, olderVersion));
    const newerStops = newer.program.stop();
    await newer.program.waitForLine((line) => line.includes('finishing the running transfers'));
    const again = await start(t, opt, configFile);
    assert.equal(again.runs, `prosody-filer-${olderVersion}/lib/node`);
    back.socket.write('56789');
    await back.waitFor(/^HTTP\/1\.1 201 /);
    assert.deepEqual(await newerStops, { code: 0, signal: null });
    for (const [key, body] of Object.entries({
      's/across': whole,
      's/meanwhile': Buffer.from('new'),
      's/back': Buffer.from('0123456789'),
    })) {
      assert.ok((await get(server, key)).body.equals(body), key);
    }
    assert.deepEqual(await filesIn(storeDir), ['s/across', 's/back', 's/meanwhile']);
  });
});

describe('the Debian package of a release', { skip: missing ?? false }, () => {
  it('has the version and the program of the tarball, which runs without node in PATH', async (t) => {
    const fields = await run('dpkg-deb', ['--field', debianPackage, 'Package', 'Version', 'Architecture']);
    assert.equal(fields.stdout, `Package: prosody-filer\nVersion: ${version}\nArchitecture: ${debianArch}\n`);
    const [root, opt] = [await tempDir(t), await tempDir(t)];
    await succeed(run('dpkg-deb', ['--extract', debianPackage, root]));
    const command = path.join(root, 'usr/bin/prosody-filer');
    assert.equal((await run('env', ['-i', `PATH=${bin}`, command, '--version'])).stdout, `prosody-filer ${version}\n`);
    await succeed(follow(installing, opt, version));
    const [inPackage, inTarball] = [
      path.join(root, 'usr/lib/prosody-filer'),
      path.dirname(path.dirname(installed(opt))),
    ];
    for (const name of ['dist/main.js', 'lib/node', 'bin/prosody-filer', 'package.json']) {
      await succeed(run('cmp', [path.join(inPackage, name), path.join(inTarball, name)]));
    }
    const licences = await readFile(path.join(root, 'usr/share/doc/prosody-filer/copyright'), 'utf8');
    for (const name of ['LICENSE', 'lib/node-LICENSE', 'dist/LICENSES.txt']) {
      assert.ok(licences.includes((await readFile(path.join(inTarball, name), 'utf8')).trim()), name);
    }
    const config = path.join(root, 'etc/prosody-filer/config.toml');
    const withAccelRedirect = (await readFile(config, 'utf8')).replace(/^# (?=accelRedirect)/m, '');
    const documented = readmeBlock('toml', '/run/credentials/prosody-filer.service');
    assert.deepEqual(
      withAccelRedirect.split('\n').filter((line) => /^\w/.test(line)),
      documented.split('\n'),
    );
  });

  it('holds what an operator needs, owned by root', async () => {
    const { stdout } = await run('dpkg-deb', ['--contents', debianPackage]);
    const entries = stdout.trimEnd().split('\n');
    for (const name of [
      'etc/prosody-filer/config.toml',
      'usr/bin/prosody-filer -> ../lib/prosody-filer/bin/prosody-filer',
      'usr/lib/systemd/system/prosody-filer.service',
      'usr/lib/systemd/system/prosody-filer.socket',
      'usr/lib/systemd/system/prosody-filer@.service',
      'usr/lib/sysusers.d/prosody-filer.conf',
      'usr/share/bash-completion/completions/prosody-filer',
      'usr/share/doc/prosody-filer/config.example.toml',
      'usr/share/doc/prosody-filer/nginx.example.conf',
      'usr/share/man/man1/prosody-filer.1.gz',
      'usr/share/prosody-filer/prosody/mod_file_share_move.lua',
      'usr/share/zsh/vendor-completions/_prosody-filer',
    ]) {
      assert.ok(
        entries.some((entry) => entry.endsWith(` ./${name}`)),
        `${name} is missing`,
      );
    }
    for (const entry of entries) assert.match(entry, /^([dl]rwx|-rw[x-])r[w-][x-]r[w-][x-] root\/root /);
    assert.equal(
      (await run('dpkg-deb', ['--info', debianPackage, 'conffiles'])).stdout,
      '/etc/prosody-filer/config.toml\n',
    );
  });
});
