import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { type Program, startProgram } from '../support/program.js';
import type { RawConnection } from '../support/raw-socket.js';
import { connectTo } from '../support/raw-socket.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';

const clients = 1000;
const maxPeakMiB = 200;
const maxGrowthMiB = 40;
const soakExchanges = process.env['SOAK'] === '1' ? 10_000 : 2000;

/** Node raises its own limit of open files to the hard one; each client here and each upload there needs some. */
const withManyFiles = ['prlimit', '--nofile=8192'];

/** Does a task for each number below a count, a few at once. */
async function forEach(count: number, atOnce: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

const options = 'OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n';

async function openIdle(t: TestContext, program: Program): Promise<RawConnection[]> {
  const connections: RawConnection[] = [];
  await forEach(clients, 50, async () => {
    const connection = await connectTo(t, program.origin);
    connections.push(connection);
    connection.socket.write(options);
    await connection.waitFor(/^HTTP\/1\.1 204 [\s\S]*\r\n\r\n$/);
  });
  return connections;
}

it(`${clients} slow uploads beside ${clients} idle connections succeed, new ones get through, memory is bounded`, async (t) => {
  const program = await startProgram(t, {}, withManyFiles);
  const { peak: atStart } = await program.memory();
  const idle = await openIdle(t, program);
  const body = Buffer.alloc(64 * 1024, 'slow');
  const step = 4096;
  const slow: RawConnection[] = [];
  await forEach(clients, 50, async (index) => {
    slow[index] = await beginPut(t, program, `slow/${index}`, body.length, body.subarray(0, step));
  });
  await eventually(async () => (await filesIn(program.storeDir)).length === clients);

  let longestMs = 0;
  for (let sent = step; sent < body.length; sent += step) {
    const startedAt = performance.now();
    for (const { socket } of slow) socket.write(body.subarray(sent, sent + step));
    const quick = Buffer.alloc(100_000, `${sent}`);
    assert.equal((await put(program, `quick/${sent}`, quick)).status, 201);
    assert.ok((await get(program, `quick/${sent}`)).body.equals(quick));
    longestMs = Math.max(longestMs, performance.now() - startedAt);
  }
  await Promise.all(slow.map((connection) => connection.waitFor(/^HTTP\/1\.1 201 [\s\S]*\r\n\r\n/)));
  const { peak } = await program.memory();
  await forEach(clients, 20, async (index) => {
    assert.ok((await get(program, `slow/${index}`)).body.equals(body));
  });
  await Promise.all(
    idle.map(({ socket, waitFor }) => {
      socket.write(options);
      return waitFor(/^(HTTP\/1\.1 204 [\s\S]*?\r\n\r\n){2}$/);
    }),
  );
  t.diagnostic(`peak memory ${peak.toFixed(1)} MiB, ${atStart.toFixed(1)} MiB when it was started`);
  t.diagnostic(`quick upload and download meanwhile: ${longestMs.toFixed(0)} ms at most`);
  assert.ok(longestMs < 5000, `an upload of 100 KB took ${longestMs} ms`);
  assert.ok(peak < maxPeakMiB, `${peak} MiB`);
});

it(`${soakExchanges} uploads and downloads of mixed sizes let memory grow no more than ${maxGrowthMiB} MiB`, async (t) => {
  const program = await startProgram(t, {}, withManyFiles);
  const sizes = [0, 1, 1000, 10_000, 65_536, 65_537, 300_000, 1_000_000];
  const source = Buffer.alloc(8_000_000, 'soak');
  const exchange = async (index: number) => {
    const size = index % 100 === 0 ? source.length : (sizes[index % sizes.length] ?? 0) + randomInt(100);
    const key = `soak${index % 50}/${index}.jpg`;
    const type = index % 3 === 0 ? 'image/webp' : 'image/jpeg';
    const body = source.subarray(0, size);
    assert.equal((await put(program, key, body, { 'content-type': type })).status, 201);
    const answer = await get(program, key);
    assert.ok(answer.body.equals(body), key);
    assert.equal(answer.headers['content-type'], type);
    await rm(path.join(program.storeDir, key));
  };
  const warmUp = Math.floor(soakExchanges / 4);
  await forEach(warmUp, 8, exchange);
  const warm = await program.memory();
  const startedAt = performance.now();
  await forEach(soakExchanges - warmUp, 8, (index) => exchange(warmUp + index));
  const perSecond = (soakExchanges - warmUp) / ((performance.now() - startedAt) / 1000);
  const end = await program.memory();
  t.diagnostic(
    `memory ${warm.now.toFixed(1)} MiB after ${warmUp} and ${end.now.toFixed(1)} MiB after ${soakExchanges}`,
  );
  t.diagnostic(`peak ${end.peak.toFixed(1)} MiB, ${perSecond.toFixed(0)} uploads and downloads a second`);
  assert.ok(end.now - warm.now < maxGrowthMiB, `${warm.now} MiB became ${end.now} MiB`);
});
