import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { projectFolder, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { nginxOfInit } from '../support/init-lines.js';
import { findProgram, freePort, missingPeer } from '../support/peers.js';
import { readmeBlock } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { put } from '../support/uploading.js';
import type { Finding } from './examination.js';
import { nginxConfig } from './nginx.js';
import { bootSystemd, type Systemd, systemdSkipReason } from './systemd.js';

const unit = 'prosody-filer.service';
const serviceText = await readFile(path.join(projectFolder, unit), 'utf8');
const socketText = await readFile(path.join(projectFolder, 'src/contrib/systemd/prosody-filer.socket'), 'utf8');
const configText = readmeBlock('toml', '/run/credentials/prosody-filer.service');
const secret = 'a secret of root';

function isServing(origin: string): Promise<boolean> {
  return send(`${origin}/upload/s/f`).then(
    ({ status }) => status === 404,
    () => false,
  );
}

/** What the README runs before the first start to make the service's user. */
const makeUser = readmeBlock('sh', 'systemd-sysusers')
  .split('\n')
  .filter((line) => line.startsWith('systemd-sysusers '))
  .join('\n');

/** The unit that an operator of an earlier version has: its files are in a folder that nginx may not enter. */
const earlierText = serviceText
  .replace(/^User=.*\nGroup=.*$/m, 'DynamicUser=yes')
  .replace('StateDirectoryMode=0750', 'StateDirectoryMode=0700')
  .replace('UMask=0027', 'UMask=0077');

function testedUnit(text: string): string {
  return `${text}\n[Service]\nWatchdogSec=3s\nStandardOutput=append:/run/output\nStandardError=append:/run/output\n`;
}

/** Boots with the shipped unit and the README's configuration, both but for what the test changes. */
async function boot(t: TestContext, settings: string, isActivated: boolean) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const socket = socketText.replace(/ListenStream=\S+/, `ListenStream=127.0.0.1:${port}`);
  const units = { [unit]: testedUnit(serviceText), ...(isActivated ? { 'prosody-filer.socket': socket } : {}) };
  const config = `${direct(configText).replace('127.0.0.1:5050', `127.0.0.1:${port}`)}\n${settings}\n`;
  const systemd = await bootSystemd(t, units, { 'config.toml': config, secret }, makeUser);
  return { systemd, origin };
}

/** The configuration without what needs nginx. */
function direct(config: string): string {
  return config.replace(/^accelRedirect .*$/m, '');
}

/** Boots as `boot` does, with an nginx in front that has the lines of `init` and runs as Debian's does. */
async function bootWithNginx(t: TestContext, text: string, config: string, setUp: string) {
  const [filerPort, nginxPort] = [await freePort(), await freePort()];
  const [inServer, beforeServer] = nginxOfInit({
    origin: `http://127.0.0.1:${filerPort}`,
    storeDir: '/var/lib/prosody-filer/upload',
  });
  const http = `${beforeServer}\nserver {\nlisten 127.0.0.1:${nginxPort};\n${inServer}\n}`;
  const nginx = `[Service]
ExecStart=${findProgram('nginx')} -c /etc/prosody-filer/nginx.conf -e stderr
ExecReload=kill -HUP $MAINPID
`;
  const onPort = (toml: string) => toml.replace('127.0.0.1:5050', `127.0.0.1:${filerPort}`);
  const etc = {
    'config.toml': onPort(config),
    'next.toml': onPort(configText),
    'next.service': testedUnit(serviceText),
    'nginx.conf': nginxConfig('/run', http, 'www-data'),
    secret,
  };
  const systemd = await bootSystemd(t, { [unit]: testedUnit(text), 'nginx.service': nginx }, etc, setUp);
  const origin = `http://127.0.0.1:${nginxPort}`;
  await eventually(() => isServing(origin));
  return { systemd, origin };
}

const installed = '/opt/prosody-filer/bin/prosody-filer';

/** A command of the README with the program where the release has it. */
function withProgram(command: string): string {
  return command.replace('-- prosody-filer ', `-- ${installed} `);
}

/** What check-config finds about nginx. */
async function checkNginx(systemd: Systemd) {
  const config = ['--config', '/etc/prosody-filer/config.toml'];
  const { stdout, stderr } = await systemd.run(installed, 'check-config', '--json', ...config);
  assert.equal(stderr, '');
  const findings: Finding[] = JSON.parse(stdout).findings;
  return findings.find(({ check }) => check === 'nginx');
}

async function restartsOf(systemd: Systemd): Promise<number> {
  return Number(await systemd.show(unit, 'NRestarts'));
}

it('the service is started again until it works: never 5 times in 10 s, after which systemd gives up', () => {
  const [, seconds] = /^RestartSec=(\d+)s$/m.exec(serviceText) ?? [];
  assert.ok(5 * Number(seconds) > 10, serviceText);
});

describe('the units', { skip: missingPeer('systemd-analyze') ?? false }, () => {
  it('are valid for systemd, with an exposure level below 2.0', async (t) => {
    const folder = await tempDir(t);
    const files = [path.join(folder, unit), path.join(folder, 'prosody-filer.socket')];
    await writeFile(files[0] ?? '', serviceText.replace('/opt/prosody-filer/bin/prosody-filer', process.execPath));
    await writeFile(files[1] ?? '', socketText);
    assert.deepEqual(await run('systemd-analyze', ['verify', ...files]), { code: 0, stdout: '', stderr: '' });
    const rating = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', files[0] ?? '']);
    assert.equal(rating.code, 0, rating.stdout);
    t.diagnostic(rating.stdout.trim().split('\n').at(-1) ?? '');
  });
});

describe('under systemd', { skip: (await systemdSkipReason()) ?? false }, () => {
  for (const workers of [1, 2]) {
    it(`${workers} worker(s) are ready once they serve, with a secret that only root may read`, async (t) => {
      const { systemd, origin } = await boot(t, `workers = ${workers}`, false);
      assert.equal(await systemd.show(unit, 'ActiveState'), 'active', await systemd.output());
      assert.match(await systemd.show(unit, 'StatusText'), new RegExp(`${origin}$`));
      assert.equal((await put({ origin, secret }, 's/f', Buffer.from('hello'))).status, 201);
      assert.equal((await systemd.run('cat', '/var/lib/prosody-filer/upload/s/f')).stdout, 'hello');
      await systemd.run('systemctl', 'stop', unit);
      assert.equal(await systemd.show(unit, 'Result'), 'success');
      assert.ok(!(await systemd.output()).includes('failed'), await systemd.output());
    });

    it(`${workers} worker(s) outlive the watchdog's period, and are restarted when one stops answering`, async (t) => {
      const { systemd, origin } = await boot(t, `workers = ${workers}`, false);
      const lastSign = async () => Number(await systemd.show(unit, 'WatchdogTimestampMonotonic'));
      const first = await lastSign();
      await eventually(async () => (await lastSign()) > first + 3_000_000);
      assert.equal(await restartsOf(systemd), 0, await systemd.output());
      await systemd.run('pkill', '-STOP', '--newest', '--full', '/opt/prosody-filer/dist/main.js');
      await eventually(async () => (await restartsOf(systemd)) === 1);
      await eventually(() => isServing(origin));
    });
  }

  it("serves by the README's commands for the tarball, nginx sends the downloads, and doctor finds nothing wrong", async (t) => {
    const missing = missingPeer('nginx', 'systemd-sysusers', 'runuser');
    if (missing !== undefined) return t.skip(missing);
    const { systemd, origin } = await bootWithNginx(t, serviceText, configText, makeUser);
    const doctor = withProgram(readmeBlock('sh', 'doctor')).replace('https://uploads.example.org', origin);
    const { code, stdout, stderr } = await systemd.run('sh', '-c', doctor);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^ok {6}accelRedirect {4}nginx sends the bytes of downloads\.$/m);
    assert.match(stdout, /^ok {6}left behind {6}The doctor removed all/m);
    assert.match(stdout, /problems: 0\n$/);
    assert.doesNotMatch(stdout, /^(warning|skipped)/m);

    assert.equal((await put({ origin, secret }, 's/f', Buffer.from('hello'))).status, 201);
    assert.equal((await send(`${origin}/upload/s/f`)).body.toString(), 'hello');
    const stat = ['stat', '--format', '%a %U %G', 's', 's/f', '.prosody-filer'].map((argument, index) =>
      index < 3 ? argument : `/var/lib/prosody-filer/upload/${argument}`,
    );
    const owner = 'prosody-filer prosody-filer';
    assert.equal((await systemd.run(...stat)).stdout, `750 ${owner}\n640 ${owner}\n700 ${owner}\n`);
    assert.equal((await checkNginx(systemd))?.outcome, 'ok');

    const purge = withProgram(readmeBlock('sh', 'runuser -u prosody-filer -- prosody-filer purge'));
    const purged = await systemd.run('sh', '-c', purge);
    assert.deepEqual([purged.code, purged.stderr], [0, '']);
    assert.match(purged.stdout, /^would delete 0 uploads, 0 bytes$/m);
  });

  it("moves from the earlier unit's DynamicUser as in the README, with the uploads", async (t) => {
    const missing = missingPeer('nginx', 'systemd-sysusers');
    if (missing !== undefined) return t.skip(missing);
    const { systemd, origin } = await bootWithNginx(t, earlierText, direct(configText), 'true');
    assert.equal((await put({ origin, secret }, 's/old', Buffer.from('old'))).status, 201);
    assert.match((await checkNginx(systemd))?.change ?? '', /without DynamicUser=yes: see "systemd" in the README/);

    const install = `cd /etc/prosody-filer && cp next.toml config.toml && cp next.service /run/units/${unit}`;
    const moved = await systemd.run('sh', '-c', `systemctl stop ${unit} && ${install} && ${makeUser}`);
    assert.equal(moved.code, 0, moved.stderr);
    const start = 'systemctl daemon-reload && systemctl start prosody-filer && systemctl reload nginx';
    assert.equal((await systemd.run('sh', '-c', start)).code, 0, await systemd.output());
    const closed = await checkNginx(systemd);
    assert.match(closed?.found ?? '', /\(user www-data\) may not enter \/var\/lib\/prosody-filer\/upload\.$/);
    const [, command = ''] = /^Run: (chmod g\+x \S+upload)$/.exec(closed?.change ?? '') ?? [];
    assert.equal((await systemd.run('sh', '-c', command)).code, 0, closed?.change);
    const old = await checkNginx(systemd);
    assert.equal(old?.outcome, 'problem');
    assert.match(old.found, /may not read older uploads, such as .*upload\/s: mode 0700/);
    const [, open = ''] =
      /: (\w.* -prune -o -exec chgrp \d+ {} \+ -exec chmod g\+rX {} \+)$/.exec(old.change ?? '') ?? [];
    await eventually(async () => (await send(`${origin}/upload/s/old`)).status === 403);
    assert.equal((await systemd.run('sh', '-c', open)).code, 0);
    assert.equal((await checkNginx(systemd))?.outcome, 'ok');
    assert.equal((await put({ origin, secret }, 's/new', Buffer.from('new'))).status, 201);
    for (const name of ['old', 'new']) assert.equal((await send(`${origin}/upload/s/${name}`)).body.toString(), name);
    const reserved = await systemd.run('stat', '--format', '%a', '/var/lib/prosody-filer/upload/.prosody-filer');
    assert.equal(reserved.stdout, '700\n');
  });

  for (const workers of [1, 2]) {
    it(`restarts on a socket of systemd without a refused request, with ${workers} workers`, async (t) => {
      const { systemd, origin } = await boot(t, `workers = ${workers}`, true);
      const failures: unknown[] = [];
      let count = 0;
      let isOver = false;
      const clients = Array.from({ length: 4 }, async () => {
        for (; !isOver; count += 1) await send(`${origin}/upload/s/f`).catch((error: unknown) => failures.push(error));
      });
      for (let restart = 0; restart < 3; restart += 1) {
        await systemd.run('systemctl', 'restart', unit);
        const before = count;
        await eventually(() => count >= before + 20);
      }
      isOver = true;
      await Promise.all(clients);
      assert.deepEqual(failures, []);
      assert.match(await systemd.output(), /the service manager passed a socket, so listenPort is ignored/);
      t.diagnostic(`${count} requests`);
    });
  }
});
