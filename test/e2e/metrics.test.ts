import assert from 'node:assert/strict';
import { chmod, chown } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { asNobody, nobody } from '../support/nobody.js';
import { freePort, missingPeer } from '../support/peers.js';
import { type Settings, startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';
import { beginPut, get, put } from '../support/uploading.js';

async function startObserved(t: TestContext, settings: Settings = {}, command: readonly string[] = []) {
  const metricsListen = `127.0.0.1:${await freePort()}`;
  const program = await startProgram(t, { metricsListen, ...settings }, command);
  return { ...program, metricsOrigin: `http://${metricsListen}` };
}

describe('metricsListen', () => {
  it('exposes metrics and health until the last upload is done', {
    skip: missingPeer('curl') ?? false,
  }, async (t) => {
    const program = await startObserved(t);
    await put(program, 's/f', Buffer.from('hello'));
    const { headers, body } = await send(`${program.metricsOrigin}/metrics`);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(body.toString(), /^prosody_filer_requests_total\{method="PUT",status="201"\} 1$/m);
    assert.match(body.toString(), /^process_resident_memory_bytes \d+$/m);
    const upload = await beginPut(t, program, 's/g', 10, '01234');
    await eventually(async () =>
      (await send(`${program.metricsOrigin}/metrics`)).body.includes('uploads_in_progress 1'),
    );
    const stopped = program.stop();
    await program.waitForLog(({ msg }) => msg === 'SIGTERM: finishing the running transfers');
    const curl = readmeBlock('sh', '/healthz').replace('http://127.0.0.1:9550', program.metricsOrigin);
    const { stdout } = await run('bash', ['-c', curl]);
    const documented = readmeBlock('json', 'freeBytes');
    assert.equal(stdout.replace(/\d+/, 'n'), documented.replace(/\d+/, 'n'));
    upload.socket.write('56789');
    await upload.waitFor(/^HTTP\/1\.1 201/);
    assert.deepEqual(await stopped, { code: 0, signal: null });
    await assert.rejects(send(`${program.metricsOrigin}/metrics`), { code: 'ECONNREFUSED' });
  });

  it('ends the start and names the key if another program listens there', async (t) => {
    const { metricsOrigin } = await startObserved(t);
    await assert.rejects(startProgram(t, { metricsListen: metricsOrigin.slice('http://'.length) }), {
      message: /metricsListen: cannot listen on 127\.0\.0\.1 port \d+: another program listens there already/,
    });
  });

  it('exposes the metrics of all workers at one address', async (t) => {
    const program = await startObserved(t, { workers: 2 });
    await put(program, 's/f', Buffer.from('hello'));
    for (let count = 0; count < 9; count += 1) await get(program, 's/f');
    await eventually(async () => {
      const text = (await send(`${program.metricsOrigin}/metrics`)).body.toString();
      return /^prosody_filer_requests_total\{method="GET",status="200"\} 9$/m.test(text);
    });
    const text = (await send(`${program.metricsOrigin}/metrics`)).body.toString();
    assert.match(text, /^prosody_filer_received_bytes_total 5$/m);
    assert.match(text, /^prosody_filer_store_unreadable_entries 0$/m);
    const { freeBytes } = JSON.parse((await send(`${program.metricsOrigin}/healthz`)).body.toString());
    const [, freeInMetrics] = /^prosody_filer_store_free_bytes (\d+)$/m.exec(text) ?? [];
    assert.ok(Math.abs(freeBytes / Number(freeInMetrics) - 1) < 0.1, 'the free space is added up');
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
  });

  it('exposes the metrics of the others while a worker starts, ends or is replaced', async (t) => {
    const program = await startObserved(t, { workers: 2 });
    const { stdout } = await run('pgrep', ['--parent', String(program.pid)]);
    process.kill(Number(stdout.split('\n')[0]), 'SIGKILL');
    const isReplaced = program.waitForLog(({ msg }) => msg === 'a new worker is listening');
    let over = false;
    const waiting = isReplaced.finally(() => {
      over = true;
    });
    do {
      const { status, body } = await send(`${program.metricsOrigin}/metrics`);
      assert.equal(status, 200);
      assert.match(body.toString(), /^prosody_filer_uploads_in_progress 0$/m);
    } while (!over);
    await waiting;
  });
});

describe('/healthz', () => {
  it('is 503 while this user may not write to storeDir', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const storeDir = await tempDir(t);
    await chown(storeDir, nobody, nobody);
    const { metricsOrigin } = await startObserved(t, { storeDir }, asNobody);
    assert.equal((await send(`${metricsOrigin}/healthz`)).status, 200);
    await chmod(storeDir, 0o555);
    const { status, body } = await send(`${metricsOrigin}/healthz`);
    assert.equal(status, 503);
    assert.match(body.toString(), /this user may not read or write here \(EACCES: permission denied, access/);
    await chmod(storeDir, 0o755);
    assert.equal((await send(`${metricsOrigin}/healthz`)).status, 200);
  });

  it('is 503 while the disk does not answer', { skip: missingPeer('strace') ?? false }, async (t) => {
    const delay = ['strace', '-f', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:delay_enter=8s'];
    const settings = { shutdownTimeout: '1s' };
    // strace does not see operations that go through io_uring.
    const { metricsOrigin } = await startObserved(t, settings, ['env', 'UV_USE_IO_URING=0', ...delay]);
    const answers = await Promise.all([1, 2, 3].map(() => send(`${metricsOrigin}/healthz`)));
    for (const { status, body } of answers) {
      assert.equal(status, 503);
      assert.match(body.toString(), /"reason":"the store did not answer within 5 s"/);
    }
  });
});
