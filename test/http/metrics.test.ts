import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { buildMetricsApp } from '../../src/http/metrics-app.js';
import { Metrics } from '../../src/metrics.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ServedStore } from '../../src/storage/store.js';
import { allMetrics } from '../support/all-metrics.js';
import { projectFolder } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { emptyOverview } from '../support/overviews.js';
import { missingPeer } from '../support/peers.js';
import { connectTo } from '../support/raw-socket.js';
import { startServer } from '../support/server.js';
import { tempDir } from '../support/temp-dir.js';
import { secret } from '../support/tokens.js';
import { beginPut, get, put } from '../support/uploading.js';

/** The listener for operators on a free port. */
async function startMetricsApp(t: TestContext, store: ServedStore, metrics = new Metrics()): Promise<string> {
  const readRegistry = async () => metrics.registry;
  const app = buildMetricsApp({ store, readRegistry, readOverview: async () => emptyOverview() });
  t.after(() => app.close());
  return app.listen({ host: '127.0.0.1', port: 0 });
}

async function startMeasured(t: TestContext) {
  const metrics: Metrics = allMetrics(async () => (await server.store.freeBytes?.()) ?? assert.fail('no free space'));
  const server = await startServer(t, { metrics });
  const metricsOrigin = await startMetricsApp(t, server.store, metrics);
  const read = async () => (await send(`${metricsOrigin}/metrics`)).body.toString();
  return {
    ...server,
    secret,
    metricsOrigin,
    read,
    /** The samples without those of Node and the process, once so many requests are over. */
    async samples(requests: number): Promise<Map<string, number>> {
      const parse = (text: string) =>
        new Map(
          [...text.matchAll(/^(prosody_filer_\S+) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)]),
        );
      const countOf = (text: string) =>
        [...parse(text)].reduce((sum, [name, value]) => (name.includes('_requests_total') ? sum + value : sum), 0);
      await eventually(async () => countOf(await read()) === requests);
      return parse(await read());
    },
  };
}

describe('the metrics', () => {
  it('count requests, refusals and bytes by outcome', async (t) => {
    const server = await startMeasured(t);
    await put(server, 's/f', Buffer.from('hello'));
    await put(server, 's/f', Buffer.from('hello'));
    await get(server, 's/f');
    await send(`${server.origin}/upload/s/f`, { headers: { range: 'bytes=1-2' } });
    await send(`${server.origin}/upload/s/f`, { method: 'HEAD' });
    await get(server, 's/g');
    await send(`${server.origin}/upload/s/g`, { method: 'PUT', body: Buffer.from('x') });
    const samples = await server.samples(7);
    assert.deepEqual(
      [...samples].filter(([name]) => /_(requests|refusals|bytes)_total/.test(name)),
      [
        ['prosody_filer_requests_total{method="PUT",status="201"}', 1],
        ['prosody_filer_requests_total{method="PUT",status="409"}', 1],
        ['prosody_filer_requests_total{method="GET",status="200"}', 1],
        ['prosody_filer_requests_total{method="GET",status="206"}', 1],
        ['prosody_filer_requests_total{method="HEAD",status="200"}', 1],
        ['prosody_filer_requests_total{method="GET",status="404"}', 1],
        ['prosody_filer_requests_total{method="PUT",status="403"}', 1],
        ['prosody_filer_refusals_total{method="PUT",reason="KEY_TAKEN"}', 1],
        ['prosody_filer_refusals_total{method="GET",reason="NOT_FOUND"}', 1],
        ['prosody_filer_refusals_total{method="PUT",reason="TOKEN_MISSING"}', 1],
        ['prosody_filer_received_bytes_total', 5],
        ['prosody_filer_sent_bytes_total', 7],
      ],
    );
    assert.equal(samples.get('prosody_filer_request_duration_seconds_count{method="PUT"}'), 3);
    assert.ok((samples.get('prosody_filer_request_duration_seconds_sum{method="PUT"}') ?? 0) > 0);
  });

  it('count a failure that has no code, such as a mistake in the program', async (t) => {
    const server = await startMeasured(t);
    server.store.open = () => Promise.reject(new TypeError('a mistake'));
    assert.equal((await get(server, 's/f')).status, 500);
    const samples = await server.samples(1);
    assert.equal(samples.get('prosody_filer_refusals_total{method="GET",reason="UNEXPECTED"}'), 1);
  });

  it('show running uploads, and count those that break off', async (t) => {
    const server = await startMeasured(t);
    const { socket } = await beginPut(t, server, 's/f', 200_000, Buffer.alloc(100_000));
    const running = async () => (await server.samples(0)).get('prosody_filer_uploads_in_progress');
    await eventually(async () => (await running()) === 1);
    socket.destroy();
    const samples = await server.samples(1);
    assert.equal(samples.get('prosody_filer_requests_total{method="PUT",status="aborted"}'), 1);
    assert.equal(samples.get('prosody_filer_received_bytes_total'), 0);
    await eventually(async () => (await server.samples(1)).get('prosody_filer_uploads_in_progress') === 0);
  });

  it('show running downloads until they end or break off', async (t) => {
    const server = await startMeasured(t);
    await put(server, 's/f', Buffer.alloc(20_000_000));
    const download = await connectTo(t, server.origin);
    download.socket.pause();
    download.socket.write('GET /upload/s/f HTTP/1.1\r\nHost: x\r\n\r\n');
    const running = async () => (await server.samples(1)).get('prosody_filer_downloads_in_progress');
    await eventually(async () => (await running()) === 1);
    download.socket.destroy();
    await eventually(async () => (await server.samples(2)).get('prosody_filer_downloads_in_progress') === 0);
  });

  it('do not have a value for what is unknown', async (t) => {
    const samples = await (await startMeasured(t)).samples(0);
    assert.equal(samples.get('prosody_filer_last_sweep_timestamp_seconds'), 1.5);
    assert.equal(samples.get('prosody_filer_component_connected'), 1);
    assert.ok(!samples.has('prosody_filer_store_used_bytes'));
  });

  it('do not grow with invented methods', async (t) => {
    const server = await startMeasured(t);
    for (const method of ['POST', 'PROPFIND', 'TRACE']) await send(`${server.origin}/upload/s/f`, { method });
    const samples = await server.samples(3);
    assert.equal(samples.get('prosody_filer_requests_total{method="other",status="405"}'), 3);
  });

  it('are exposed when the store is gone, without its free space', async (t) => {
    const server = await startMeasured(t);
    assert.ok(((await server.samples(0)).get('prosody_filer_store_free_bytes') ?? 0) > 0);
    await rm(server.storeDir, { recursive: true });
    assert.equal((await server.samples(0)).get('prosody_filer_store_free_bytes'), undefined);
  });

  it('explain themselves, and have the names that the README uses', async (t) => {
    const { read } = await startMeasured(t);
    const text = await read();
    const readme = await readFile(path.join(projectFolder, 'README.md'), 'utf8');
    const namesIn = (where: string, pattern: RegExp) => [...where.matchAll(pattern)].map(([, name]) => name);
    const served = namesIn(text, /^# TYPE (prosody_filer_\w+) /gm);
    assert.deepEqual(namesIn(text, /^# HELP (prosody_filer_\w+) \w+ \S/gm), served);
    for (const name of namesIn(readme, /\b(prosody_filer_\w+)/g)) assert.ok(served.includes(name), name);
  });

  it('pass the check of Prometheus', { skip: missingPeer('promtool') ?? false }, async (t) => {
    const server = await startMeasured(t);
    await put(server, 's/f', Buffer.from('hello'));
    await get(server, 's/g');
    await server.samples(2);
    const own = (await server.read()).split('\n').filter((line) => line.includes('prosody_filer_'));
    const check = promisify(execFile)('promtool', ['check', 'metrics']);
    check.child.stdin?.end(`${own.join('\n')}\n`);
    assert.deepEqual(await check, { stdout: '', stderr: '' });
  });

  it('are not on the listener of uploads, and uploads are not on theirs', async (t) => {
    const server = await startMeasured(t);
    await put(server, 's/f', Buffer.from('hello'));
    assert.equal((await send(`${server.metricsOrigin}/upload/s/f`)).status, 404);
    assert.equal((await put({ ...server, origin: server.metricsOrigin }, 's/g', Buffer.from('x'))).status, 404);
    for (const name of ['/', '/metrics', '/healthz']) {
      assert.equal((await send(server.origin + name)).status, 404);
      const { headers } = await send(server.metricsOrigin + name);
      assert.equal(headers['cache-control'], 'no-store');
    }
  });
});

describe('the page', () => {
  it('may load nothing, run nothing, and be framed by nobody', async (t) => {
    const { metricsOrigin } = await startMeasured(t);
    const { status, headers, body } = await send(`${metricsOrigin}/`);
    const [, style = ''] = /<style>(.*)<\/style>/s.exec(body.toString()) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    assert.deepEqual(
      [status, headers['content-type'], headers['cache-control'], headers['x-content-type-options']],
      [200, 'text/html; charset=utf-8', 'no-store', 'nosniff'],
    );
    assert.equal(
      headers['content-security-policy'],
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });

  it('says why the store accepts no uploads', async (t) => {
    const server = await startMeasured(t);
    await rm(server.storeDir, { recursive: true });
    assert.match(
      (await send(`${server.metricsOrigin}/`)).body.toString(),
      /accepts no uploads: the disk failed \(ENOENT/,
    );
  });
});

describe('/healthz', () => {
  const open = (storeDir: string, minFreeSpace = 0) =>
    openStore({ storeDir, minFreeSpace, isDurable: true, stallTimeoutMs: 60_000 });

  it('is 200 with the free space if uploads can be stored', async (t) => {
    const { store } = await open(await tempDir(t));
    const { status, body } = await send(`${await startMetricsApp(t, store)}/healthz`);
    const { freeBytes, ...rest } = JSON.parse(body.toString());
    assert.deepEqual([status, rest], [200, { status: 'ok' }]);
    assert.ok(Number.isSafeInteger(freeBytes) && freeBytes > 0);
  });

  it('accepts one request at a time on each connection, as the uploads do', async (t) => {
    const { metricsOrigin } = await startMeasured(t);
    const request = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
    const [few, many] = await Promise.all([connectTo(t, metricsOrigin), connectTo(t, metricsOrigin)]);
    few.socket.write(request.repeat(3));
    await few.waitFor(/(200 OK[\s\S]*){3}/);
    many.socket.write(request.repeat(1000));
    assert.deepEqual((await many.untilClosed()).match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200']);
  });

  it('is 503 with the reason while less than minFreeSpace is free', async (t) => {
    const { store } = await open(await tempDir(t), 2 ** 50);
    const { status, body } = await send(`${await startMetricsApp(t, store)}/healthz`);
    assert.equal(status, 503);
    assert.match(
      body.toString(),
      /"reason":"[^"]* bytes do not fit: \d+ are free, and \d+ of them must stay free \(minFreeSpace\)"/,
    );
  });

  it('is 503 with the reason while the store is gone', async (t) => {
    const storeDir = await tempDir(t);
    const { store } = await open(storeDir);
    const origin = await startMetricsApp(t, store);
    await rm(storeDir, { recursive: true });
    const { status, body } = await send(`${origin}/healthz`);
    assert.equal(status, 503);
    assert.match(body.toString(), /"status":"failing","reason":"the disk failed \(ENOENT/);
    await open(storeDir);
    assert.equal((await send(`${origin}/healthz`)).status, 200);
  });
});
