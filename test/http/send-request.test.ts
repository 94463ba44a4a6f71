import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createRawServer } from 'node:net';
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

it('an answer whose Content-Length stands there twice is read as browsers read it', async (t) => {
  const lengths = ['0', '0'];
  const server = createRawServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      const head = ['HTTP/1.1 200 OK', 'X-A: b', ...lengths.map((length) => `Content-Length: ${length}`), '', ''];
      socket.end(head.join('\r\n'));
    });
  });
  const origin = `http://127.0.0.1:${await listenOnFreePort(t, server)}`;
  const ask = () => sendRequest(origin, { method: 'OPTIONS', target: '/' }, () => undefined);
  const { status, headers } = await ask();
  assert.deepEqual([status, headers['x-a'], headers['content-length']], [200, ['b'], ['0']]);
  lengths[1] = '1';
  await assert.rejects(ask(), { code: 'HPE_UNEXPECTED_CONTENT_LENGTH' });
});
