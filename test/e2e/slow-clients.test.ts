import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { nginxOfInit } from '../support/init-lines.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { connectTo } from '../support/raw-socket.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';
import { startNginx } from './nginx.js';

/** Downloads so many bytes each second and no more; resolves to how many came, the head included. */
async function downloadSlowly(url: string, bytesPerSecond: number): Promise<number> {
  const { hostname, port, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) }).on('error', () => undefined);
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const startedAt = performance.now();
  let bytes = 0;
  for await (const chunk of socket) {
    bytes += chunk.length;
    await delay(startedAt + (bytes / bytesPerSecond) * 1000 - performance.now());
  }
  return bytes;
}

describe('a slow client', { concurrency: true }, () => {
  it('is cut if its head does not end, however steadily it trickles', async (t) => {
    const { origin } = await startProgram(t, { stallTimeout: '5s' });
    const connection = await connectTo(t, origin);
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const trickle = setInterval(() => connection.socket.write('x'), 500);
    t.after(() => clearInterval(trickle));
    // Looked at every 5 s.
    assert.match(await connection.untilClosed(), /^HTTP\/1\.1 408 [\s\S]*access-control-allow-origin: \*/);
  });

  it('is cut after stallTimeout when its head stops', async (t) => {
    const { origin } = await startProgram(t, { stallTimeout: '500ms' });
    const connection = await connectTo(t, origin);
    connection.socket.write('GET / HTTP/1.1\r\nHos');
    await connection.untilClosed();
  });

  it('that disconnects, ends early or stalls in its upload leaves nothing, and the slot can be retried', async (t) => {
    const program = await startProgram(t, { stallTimeout: '1s' });
    const body = Buffer.alloc(200_000, 'x');
    const connections = await Promise.all(
      ['s/gone', 's/short', 's/stalled'].map((key) => beginPut(t, program, key, body.length, body.subarray(1))),
    );
    await eventually(async () => (await filesIn(program.storeDir)).length === 3);
    connections[0]?.socket.destroy();
    connections[1]?.socket.end();
    for (const key of ['s/gone', 's/short', 's/stalled']) {
      await program.waitForLog(({ path: at }) => at === `/upload/${key}`);
      assert.equal((await get(program, key)).status, 404);
    }
    await eventually(async () => (await filesIn(program.storeDir)).length === 0);
    for (const key of ['s/gone', 's/short', 's/stalled']) assert.equal((await put(program, key, body)).status, 201);
  });

  it('that reads no byte of its download is cut after 30 times stallTimeout; one that trickles is not', async (t) => {
    const program = await startProgram(t, { stallTimeout: '100ms' });
    const size = 100_000_000; // more than the system's socket buffers hold
    await writeFile(path.join(program.storeDir, 'large'), Buffer.alloc(size));
    const before = await program.openFiles();
    const ask = async () => {
      const connection = await connectTo(t, program.origin);
      connection.socket.pause();
      connection.socket.write('GET /upload/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      return connection.socket;
    };
    const trickling = await ask();
    await ask();
    // Node sees progress only when the system has room in its send buffer again, so it is no byte at a time.
    for (let step = 1; step <= 60; step += 1) {
      trickling.resume();
      await eventually(() => trickling.bytesRead >= step * 400_000);
      trickling.pause();
      await delay(100);
    }
    const ended = program.logLines().filter(({ msg }) => msg === 'request');
    assert.deepEqual(
      ended.map(({ reason }) => reason),
      ['the client read no data for 3 s (30 times stallTimeout)'],
    );
    assert.ok(trickling.bytesRead < size - 1_000_000, `${trickling.bytesRead} bytes came at once`);
    trickling.resume();
    await once(trickling, 'end');
    assert.ok(trickling.bytesRead > size);
    await eventually(async () => (await program.openFiles()) <= before);
  });

  for (const proxy of ['directly', 'behind nginx']) {
    const skip = proxy === 'directly' ? undefined : missingPeer('nginx');
    it(`that reads its download at a low rate gets all of it (${proxy})`, { skip }, async (t) => {
      const program = await startProgram(t, { stallTimeout: '500ms' });
      const size = 15_000_000;
      await writeFile(path.join(program.storeDir, 'large'), Buffer.alloc(size));
      const origin = proxy === 'directly' ? program.origin : await startNginx(t, ...nginxOfInit(program));
      assert.ok((await downloadSlowly(`${origin}/upload/large`, 1_000_000)) > size);
    });
  }
});
