import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { it } from 'node:test';
import { sendRequest } from '../../src/diagnosis/remote/send-request.js';
import { listenOnFreePort } from '../support/listening.js';

it('a request of doctor reports the bytes of its body and of the answer, piece by piece', async (t) => {
  const server = createServer((request, answer) => request.pipe(answer));
  const port = await listenOnFreePort(t, server);
  const body = Buffer.alloc(1_000_000, 'x');
  const reported: number[] = [];
  const request = { method: 'PUT', target: '/f', body } as const;
  const answer = await sendRequest(`http://127.0.0.1:${port}`, request, (bytes) => reported.push(bytes));
  assert.ok(answer.body.equals(body));
  assert.equal(
    reported.reduce((sum, bytes) => sum + bytes, 0),
    2 * body.length,
  );
  assert.ok(Math.max(...reported) <= 256 * 1024, reported.join());
});
