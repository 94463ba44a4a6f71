import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { projectFolder, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { freePort, missingPeer } from '../support/peers.js';
import { readmeBlock } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { put } from '../support/uploading.js';
import { startNginx } from './nginx.js';
import { bootSystemd, type Systemd, systemdSkipReason } from './systemd.js';

const unit = 'prosody-filer.service';
const serviceText = await readFile(path.join(projectFolder, unit), 'utf8');
const socketText = readmeBlock('ini', 'ListenStream');
const configText = readmeBlock('toml', 'secretFile = "/run/credentials');
const secret = 'a secret of root';

function isServing(origin: string): Promise<boolean> {
  return send(`${origin}/upload/s/f`).then(
    ({ status }) => status === 404,
    () => false,
  );
}

/** Boots with the shipped unit and the README's configuration, both but for what the test changes. */
async function boot(t: TestContext, settings: string, isActivated: boolean) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const service = `${serviceText}\n[Service]\nWatchdogSec=3s\nStandardOutput=append:/run/output\nStandardError=append:/run/output\n`;
  const socket = socketText.replace(/ListenStream=\S+/, `ListenStream=127.0.0.1:${port}`);
  const units = { [unit]: service, ...(isActivated ? { 'prosody-filer.socket': socket } : {}) };
  const config = `${configText.replace('127.0.0.1:5050', `127.0.0.1:${port}`)}\n${settings}\n`;
  const systemd = await bootSystemd(t, units, { 'config.toml': config, secret });
  return { systemd, origin };
}

async function restartsOf(systemd: Systemd): Promise<number> {
  return Number(await systemd.show(unit, 'NRestarts'));
}

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

  it("serves by the README's quick start, and doctor finds nothing wrong", async (t) => {
    const missing = missingPeer('nginx');
    if (missing !== undefined) return t.skip(missing);
    const { systemd, origin } = await boot(t, '', false);
    const nginx = await startNginx(t, readmeBlock('nginx', 'proxy_pass').replace('http://127.0.0.1:5050', origin));
    const command = readmeBlock('sh', 'doctor')
      .replace('prosody-filer', '/opt/prosody-filer/bin/prosody-filer')
      .replace('https://uploads.example.org', nginx);
    const { code, stdout, stderr } = await systemd.run('sh', '-c', command);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /problems: 0\n$/);
    const inside = readmeBlock('sh', 'nsenter').replace(
      ' prosody-filer purge',
      ' /opt/prosody-filer/bin/prosody-filer purge',
    );
    const purged = await systemd.run('sh', '-c', inside);
    assert.deepEqual([purged.code, purged.stderr], [0, '']);
    assert.match(purged.stdout, /^would delete 0 uploads, 0 bytes$/m);
  });

  it('restarts on a socket of systemd without a refused request', async (t) => {
    const { systemd, origin } = await boot(t, '', true);
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
});
