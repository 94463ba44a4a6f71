import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { skipOrFail } from '../support/peers.js';
import { type Program, startProgram } from '../support/program.js';
import { filesIn } from '../support/tree.js';
import { get, put, putHead } from '../support/uploading.js';

const isLong = process.env['SOAK'] === '1';
const idleClients = isLong ? 10_000 : 2000;
const slowClients = isLong ? 2000 : 400;
/** The program has one for each connection, and another one for each upload. */
const neededFiles = idleClients + 2 * slowClients + 100;

/** A connection has a socket, a parser and a timer, and no buffer of its own. Measured: 8 KiB each for 10,000, 12 KiB for 2,000. */
const maxIdleKiB = 24;
/** A slow upload has a request, an answer and an open file, and its bytes wait for the next write. Measured: 79 KiB with 64 KiB of bytes. */
const maxSlowKiB = 128;

const bodyBytes = 64 * 1024;
const stepBytes = 16 * 1024;

/** Node raises its own limit to the hard one. */
const hardLimit = /^Max open files +\d+ +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
const mayOpenTooFew = Number(hardLimit) < neededFiles;
const skip = mayOpenTooFew && skipOrFail(`needs a hard limit of ${neededFiles} open files (ulimit -Hn)`);

/** Does a task for each number below a count, many at once. */
async function forEach(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: 100 }, work));
}

/** A connection that keeps nothing of what it receives but the beginning. */
async function open(t: TestContext, { origin }: Program): Promise<{ socket: Socket; status(): string }> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  let received = '';
  socket.on('data', (chunk) => {
    if (received.length < 12) received += chunk.toString('latin1');
  });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return { socket, status: () => received.slice(9, 12) };
}

it(`${idleClients} idle connections and ${slowClients} slow uploads take little memory each`, {
  skip,
}, async (t) => {
  // Of one client address, a tenth of maxUploads would be too few, if half of them were running.
  const settings = { maxUploads: 3 * slowClients, stallTimeout: '10m' };
  const program = await startProgram(t, settings);
  assert.equal((await put(program, 'first/f', Buffer.alloc(100_000))).status, 201);
  const before = await program.memory();

  await forEach(idleClients, async (index) => {
    const { socket, status } = await open(t, program);
    // Every other one has not sent anything yet.
    if (index % 2 === 0) return;
    socket.write('OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => status() === '204');
  });
  const withIdle = await program.memory();
  const idleKiB = ((withIdle.peak - before.now) * 1024) / idleClients;
  t.diagnostic(`idle: ${idleKiB.toFixed(1)} KiB each, ${withIdle.peak.toFixed(0)} MiB in all`);

  const body = Buffer.alloc(bodyBytes, 'slow');
  const slow: Awaited<ReturnType<typeof open>>[] = [];
  await forEach(slowClients, async (index) => {
    const client = await open(t, program);
    client.socket.write(putHead(program, `slow/${index}`, bodyBytes));
    client.socket.write(body.subarray(0, stepBytes));
    slow.push(client);
  });
  await eventually(async () => (await filesIn(program.storeDir)).length === slowClients + 1);
  assert.ok((await program.openFiles()) > idleClients + 2 * slowClients, 'connections were closed meanwhile');
  for (let sent = stepBytes; sent < bodyBytes; sent += stepBytes) {
    for (const { socket } of slow) socket.write(body.subarray(sent, sent + stepBytes));
    assert.equal((await put(program, `beside/${sent}`, Buffer.alloc(100_000))).status, 201);
  }
  await eventually(() => slow.every(({ status }) => status() === '201'));
  const { peak } = await program.memory();
  const slowKiB = ((peak - withIdle.peak) * 1024) / slowClients;
  t.diagnostic(`slow: ${slowKiB.toFixed(1)} KiB each, ${peak.toFixed(0)} MiB in all`);
  assert.ok((await get(program, `slow/${slowClients - 1}`)).body.equals(body));
  assert.ok(idleKiB < maxIdleKiB, `an idle connection takes ${idleKiB} KiB`);
  assert.ok(slowKiB < maxSlowKiB, `a slow upload takes ${slowKiB} KiB`);
});
