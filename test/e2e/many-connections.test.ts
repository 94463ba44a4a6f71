import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { type Program, startProgram } from '../support/program.js';
import { put, putHead } from '../support/uploading.js';

const clients = 1000;
const maxGrowthMiB = 100;
const maxUploadMs = 10_000;

function repeat(request: string, bytes: number): string {
  return request.repeat(Math.floor(bytes / request.length));
}

/** Has all clients send this and read nothing of what comes back. */
async function flood(t: TestContext, { origin }: Program, text: string): Promise<void> {
  const port = Number(new URL(origin).port);
  const bytes = Buffer.from(text);
  const sockets = Array.from({ length: clients }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, 'connect');
      socket.pause();
      socket.write(bytes);
    }),
  );
}

describe('1,000 connections without a token use little memory, and an upload beside them succeeds', () => {
  const get = 'GET /upload/none HTTP/1.1\r\nHost: x\r\n\r\n';
  const floods = {
    'pipelined GETs, of which no answer is read': () => repeat(get, 64_000),
    'pipelined HEADs': () => repeat(get.replace('GET', 'HEAD'), 64_000),
    'pipelined DELETEs': () => repeat(get.replace('GET', 'DELETE'), 64_000),
    'pipelined requests with a body, which are refused before it is read': () =>
      repeat('PUT /upload/none HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx', 64_000),
    'pipelined requests by an unknown method': () =>
      repeat('POST /upload/none HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx', 64_000),
    'pipelined GETs behind a PUT': (program: Program) => `${putHead(program, 's/f', 5)}hello${repeat(get, 63_000)}`,
    'garbage behind a GET': () => `${get}${'\0'.repeat(63_000)}`,
    'heads that never end': () => get.replace('\r\n\r\n', `\r\n${repeat('X-Header: of no use\r\n', 14_000)}`),
  };
  for (const [what, makeText] of Object.entries(floods)) {
    it(`(${what})`, async (t) => {
      const program = await startProgram(t);
      assert.equal((await put(program, 'before/f', Buffer.alloc(100_000))).status, 201);
      const before = await program.memory();
      await flood(t, program, makeText(program));
      const startedAt = performance.now();
      assert.equal((await put(program, 'beside/f', Buffer.alloc(100_000))).status, 201);
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < maxUploadMs, `the upload took ${tookMs} ms`);
      const growth = (await program.memory()).peak - before.now;
      assert.ok(growth < maxGrowthMiB, `${growth} MiB more`);
    });
  }
});
