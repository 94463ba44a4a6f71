import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Metrics } from '../../src/metrics.js';
import type { ServedStore, Store } from '../../src/storage/store.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { connectTo } from '../support/raw-socket.js';
import { type ServerOverrides, startServer } from '../support/server.js';
import { v1Token } from '../support/tokens.js';

const stallTimeoutMs = 100;
/** How long the store delays. */
const waitMs = 500;
const body = Buffer.alloc(500_000, 'x');

async function putSlowly(t: TestContext, overrides: ServerOverrides): Promise<void> {
  const { origin, sweep } = await startServer(t, { stallTimeoutMs, ...overrides });
  setTimeout(sweep, waitMs);
  const url = `${origin}/upload/s/f?v=${v1Token('s/f', body.length)}`;
  assert.equal((await send(url, { method: 'PUT', body })).status, 201);
}

/** A store with this `put`. */
function withPut(put: (store: Store, ...args: Parameters<Store['put']>) => Promise<void>): ServerOverrides {
  return {
    wrapStore: (store) =>
      Object.assign(Object.create(store), { put: (...args: Parameters<Store['put']>) => put(store, ...args) }),
  };
}

describe('an upload is not cut as stalled', { concurrency: true }, () => {
  it('before the store reads its body', async (t) => {
    await putSlowly(
      t,
      withPut(async (store, ...args) => {
        await delay(waitMs);
        await store.put(...args);
      }),
    );
  });

  it('while its bytes wait for the disk', async (t) => {
    await putSlowly(
      t,
      withPut(async (store, key, upload) => {
        const opened = upload.openBody().pause();
        await delay(waitMs);
        await store.put(key, { ...upload, openBody: () => opened.resume() });
      }),
    );
  });

  it('while the disk makes it durable', async (t) => {
    await putSlowly(
      t,
      withPut(async (store, ...args) => {
        await store.put(...args);
        await delay(waitMs);
      }),
    );
  });

  it('while the limits are counted', async (t) => {
    await putSlowly(t, { limits: { maxStoreSize: 1e9 } });
  });
});

it('an upload is not cut as stalled a moment after the server began to wait for the client', async (t) => {
  const timeoutMs = 400;
  let sendRest = () => {};
  const { origin } = await startServer(t, {
    stallTimeoutMs: timeoutMs,
    ...withPut(async (store, ...args) => {
      await delay(0.95 * timeoutMs);
      sendRest();
      await store.put(...args);
    }),
  });
  const { socket, waitFor } = await connectTo(t, origin);
  socket.write(`PUT /upload/s/f?v=${v1Token('s/f', 2)} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na`);
  sendRest = () => setTimeout(() => socket.write('b'), timeoutMs / 4);
  await waitFor(/^HTTP\/1\.1 201 /);
});

// Not beside other tests, whose clients are in this process and would be kept from sending.
it('an upload is not cut as stalled when its bytes came while the server was too busy to read them', async (t) => {
  const { origin } = await startServer(t, { stallTimeoutMs });
  const { socket, waitFor } = await connectTo(t, origin);
  socket.write(`PUT /upload/s/f?v=${v1Token('s/f', 2)} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na`);
  await delay(stallTimeoutMs / 2);
  socket.write('b');
  const busyUntil = performance.now() + waitMs;
  while (performance.now() < busyUntil);
  await waitFor(/^HTTP\/1\.1 201 /);
});

describe('a download is not cut as stalled', () => {
  it('while the store looks for it', async (t) => {
    const wrapStore = (store: ServedStore): ServedStore =>
      Object.assign(Object.create(store), {
        open: async (...args: Parameters<Store['open']>) => {
          await delay(waitMs);
          return store.open(...args);
        },
      });
    const { origin, storeDir } = await startServer(t, { stallTimeoutMs, wrapStore });
    await writeFile(path.join(storeDir, 'f'), body);
    assert.ok((await send(`${origin}/upload/f`)).body.equals(body));
  });
});

describe('a client that stalls', () => {
  it('in its upload is cut after stallTimeout, with a reason in log and metrics', async (t) => {
    const metrics = new Metrics();
    const { origin, logLines } = await startServer(t, { stallTimeoutMs, metrics });
    const connection = await connectTo(t, origin);
    connection.socket.write(
      `PUT /upload/s/f?v=${v1Token('s/f', 10)} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345`,
    );
    await connection.untilClosed();
    await eventually(() => logLines.length === 1);
    assert.equal(logLines[0]?.['reason'], 'the client sent no data for 0.1 s (stallTimeout)');
    assert.match(await metrics.registry.metrics(), /refusals_total\{method="PUT",reason="UPLOAD_STALLED"\} 1/);
  });

  it('in its download is cut after 30 times stallTimeout, and its file is closed', async (t) => {
    const metrics = new Metrics();
    const { origin, storeDir, logLines } = await startServer(t, { stallTimeoutMs: 20, metrics });
    await writeFile(path.join(storeDir, 'f'), Buffer.alloc(50_000_000));
    const openFiles = async () => (await readdir('/proc/self/fd')).length;
    const before = await openFiles();
    const connection = await connectTo(t, origin);
    connection.socket.pause();
    const startedAt = performance.now();
    connection.socket.write('GET /upload/f HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => logLines.length === 1);
    assert.ok(performance.now() - startedAt > 29 * 20);
    assert.equal(logLines[0]?.['reason'], 'the client read no data for 0.6 s (30 times stallTimeout)');
    assert.match(await metrics.registry.metrics(), /refusals_total\{method="GET",reason="DOWNLOAD_STALLED"\} 1/);
    // The client's own socket stays open.
    await eventually(async () => (await openFiles()) <= before + 1);
  });
});
