import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { connectTo } from '../support/raw-socket.js';
import { startServer, type TestServer } from '../support/server.js';
import { v1Token } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';

const key = 's/büro 日本.jpg';
/** As ejabberd sends it, but for the space, which ends a target and is always encoded. */
const rawPath = '/upload/s/büro%20日本.jpg';
const encodedPath = '/upload/s/b%C3%BCro%20%E6%97%A5%E6%9C%AC.jpg';

function put(body: string, extra = '', path = rawPath): Buffer {
  const head = `PUT ${path}?v=${v1Token(key, body.length)}&n=ü HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n`;
  return Buffer.from(`${head}${extra}\r\n${body}`);
}

function get(path = rawPath, method = 'GET', extra = ''): Buffer {
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${extra}\r\n`);
}

/** Sends packets one by one, and returns all that is answered once the connection was closed by the last request. */
async function exchange(
  t: TestContext,
  { origin }: TestServer,
  packets: readonly (Buffer | string)[],
): Promise<string> {
  const connection = await connectTo(t, origin);
  connection.socket.setNoDelay();
  for (const packet of packets) {
    connection.socket.write(packet);
    await sleep(2);
  }
  return connection.untilClosed();
}

const last = get('/upload/none', 'GET', 'Connection: close\r\n');
const statuses = (answers: string) => [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

describe('raw UTF-8 in a request target', () => {
  it('is taken as if it were percent-encoded, for every method', async (t) => {
    const server = await startServer(t);
    const answers = await exchange(t, server, [
      put('hello'),
      get(),
      get(encodedPath),
      get(rawPath, 'HEAD'),
      get(rawPath, 'OPTIONS'),
      get(rawPath, 'POST'),
      put('hello'),
      get(rawPath, 'DELETE'),
      last,
    ]);
    assert.deepEqual(statuses(answers), [201, 200, 200, 200, 204, 405, 409, 405, 404]);
    assert.deepEqual(await filesIn(server.storeDir), [key]);
    assert.equal(answers.match(/\r\n\r\nhello/g)?.length, 2);
    const { method, path, client, status } = server.logLines[0] ?? {};
    assert.deepEqual(
      { method, path, client, status },
      { method: 'PUT', path: encodedPath, client: '127.0.0.1', status: 201 },
    );
  });

  it('may be split anywhere, also within a character', async (t) => {
    const server = await startServer(t);
    const bytes = put('hello');
    const answers = await exchange(t, server, [...Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1)), last]);
    assert.deepEqual(statuses(answers), [201, 404]);
    assert.deepEqual(await filesIn(server.storeDir), [key]);
  });

  it('may be split once, wherever, on a connection that was used before', async (t) => {
    const server = await startServer(t);
    const bytes = get();
    await exchange(t, server, [put('hello'), last]);
    const cuts = Array.from(bytes, (_byte, at) => [get('/upload/a'), bytes.subarray(0, at), bytes.subarray(at)]);
    const answers = await exchange(t, server, [...cuts.flat(), last]);
    assert.deepEqual(statuses(answers), [...cuts.flatMap(() => [404, 200]), 404]);
  });

  it('may come right behind other requests, and before them', async (t) => {
    const server = await startServer(t);
    const all = Buffer.concat([get(), put('hello'), get(), get(encodedPath), get(), put('PUT '), get(), last]);
    assert.deepEqual(statuses(await exchange(t, server, [all])), [404, 201, 200, 200, 200, 409, 200, 404]);
    for (let at = 1; at < all.length; at += 17) {
      const answers = await exchange(t, server, [all.subarray(0, at), all.subarray(at)]);
      assert.deepEqual(statuses(answers), [200, 409, 200, 200, 200, 409, 200, 404], `cut at ${at}`);
    }
  });

  it('keeps Expect: 100-continue', async (t) => {
    const server = await startServer(t);
    const connection = await connectTo(t, server.origin);
    connection.socket.write(put('hello', 'Expect: 100-continue\r\n').subarray(0, -5));
    await connection.waitFor(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    connection.socket.write('hello');
    await connection.waitFor(/HTTP\/1\.1 201 /);
  });

  it('may have a large body in the same packet', async (t) => {
    const server = await startServer(t);
    const body = 'x'.repeat(300_000);
    assert.deepEqual(statuses(await exchange(t, server, [Buffer.concat([put(body), last])])), [201, 404]);
    assert.equal((await server.store.open(key as never))?.size, 300_000);
  });

  it('lets nothing else through that the parser refuses', async (t) => {
    const server = await startServer(t);
    const refused = [
      'GET /upload/ü\x01 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/ü\x7f HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/\x7fü HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/ü\t HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET ü HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/ü /b HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/ü HTTP/1.1ü\r\nHost: x\r\n\r\n',
      'GET /upload/ü HTTP/9.9\r\nHost: x\r\n\r\n',
      'GET /upload/ü HTTP/1.1\nHost: x\n\n',
      'get /upload/ü HTTP/1.1\r\nHost: x\r\n\r\n',
      'PÜT /upload/ü HTTP/1.1\r\nHost: x\r\n\r\n',
      'PUT\xa0/upload/ü HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /upload/ü HTTP/1.1\r\nHost: x\r\nü: x\r\n\r\n',
      'PUT /upload/ü HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
      `GET /upload/ü${'y'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /upload/${'ü'.repeat(4000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ];
    for (const request of refused) {
      const answer = await exchange(t, server, [request, get(encodedPath)]);
      assert.match(answer, /^HTTP\/1\.1 4(00|31) [\s\S]*access-control-allow-origin: \*/, JSON.stringify(request));
      assert.equal(statuses(answer).length, 1, JSON.stringify(request));
    }
    assert.deepEqual(await filesIn(server.storeDir), []);
  });

  it('closes the connection after the answer if more than a head and 4 KiB come behind another request', async (t) => {
    const server = await startServer(t);
    const packet = Buffer.concat([get('/upload/a'), put('x'.repeat(40_000))]);
    assert.deepEqual(statuses(await exchange(t, server, [packet])), [404]);
    assert.deepEqual(await filesIn(server.storeDir), []);
  });

  it('that is not UTF-8 is 400, with its path in the log', async (t) => {
    const server = await startServer(t);
    const request = Buffer.from('GET /upload/s/\xe8.jpg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'latin1');
    assert.deepEqual(statuses(await exchange(t, server, [request])), [400]);
    await eventually(async () => server.logLines[0]?.['path'] === '/upload/s/%E8.jpg');
  });

  it('has no more time than another head', async (t) => {
    const server = await startServer(t, { stallTimeoutMs: 300 });
    const connection = await connectTo(t, server.origin);
    connection.socket.write('GET /upload/');
    const timer = setInterval(() => connection.socket.write('ü'), 50);
    t.after(() => clearInterval(timer));
    assert.deepEqual(statuses(await connection.untilClosed()), [400]);
  });

  it('leaves no listeners behind on a connection that is used for long', async (t) => {
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    t.after(() => process.off('warning', warn));
    const server = await startServer(t);
    const all = Buffer.concat(Array.from({ length: 30 }, () => Buffer.concat([get(), get('/upload/a')])));
    const answers = await exchange(t, server, [all.subarray(0, 1000), all.subarray(1000), last]);
    assert.equal(statuses(answers).length, 61);
    assert.deepEqual(warnings, []);
  });
});

describe('a method that is served', () => {
  it('is not the end of another one, so that no body in front of it can change it', () => {
    for (const served of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      assert.deepEqual(
        METHODS.filter((method) => method.endsWith(served)),
        [served],
      );
    }
  });
});
