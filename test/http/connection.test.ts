import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import type { ServedStore } from '../../src/storage/store.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { connectTo } from '../support/raw-socket.js';
import { startServer } from '../support/server.js';
import { v1Token } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';

function putHead(size: number, extra = '', token = v1Token('s/f', size)): string {
  return `PUT /upload/s/f?v=${token} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n${extra}\r\n`;
}

describe('Expect: 100-continue', () => {
  it('is answered for an upload that will be accepted', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(putHead(5, 'Expect: 100-continue\r\n'));
    await connection.waitFor(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    connection.socket.write('hello');
    await connection.waitFor(/HTTP\/1.1 201 Created/);
  });

  it('is not answered for an upload that will be refused, so that the body need not be sent', async (t) => {
    const { origin, storeDir } = await startServer(t);
    await writeFile(path.join(storeDir, 'taken'), 'x');
    const heads = [
      putHead(5, 'Expect: 100-continue\r\n', '0'.repeat(64)),
      putHead(5, 'Expect: 100-continue\r\n')
        .replace('s/f?', 'taken?')
        .replace(/v=\w+/, `v=${v1Token('taken', 5)}`),
    ];
    const answers = await Promise.all(
      heads.map(async (head) => {
        const connection = await connectTo(t, origin);
        connection.socket.write(head);
        return connection.waitFor(/\r\n\r\n/);
      }),
    );
    assert.match(answers[0] ?? '', /^HTTP\/1.1 403 Forbidden[\s\S]*connection: close/i);
    assert.match(answers[1] ?? '', /^HTTP\/1.1 409 Conflict[\s\S]*connection: close/i);
  });

  it('is not answered to HTTP/1.0, which does not know it (RFC 9110 §10.1.1)', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(`${putHead(5, 'Expect: 100-continue\r\n').replace('HTTP/1.1', 'HTTP/1.0')}hello`);
    assert.match(await connection.waitFor(/\r\n\r\n/), /^HTTP\/1.1 201 /);
  });

  it('is the only expectation that is accepted', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(putHead(5, 'Expect: a-miracle\r\n'));
    assert.match(await connection.waitFor(/\r\n\r\n/), /^HTTP\/1.1 417 [\s\S]*access-control-allow-origin: \*/);
  });
});

describe('a refused client', () => {
  it('can read its answer while it still sends, and is not read for ever', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    const size = 2_000_000_000;
    connection.socket.write(putHead(size, '', '0'.repeat(64)));
    let sent = 0;
    const chunk = Buffer.alloc(65_536);
    const sending = new Promise<void>((resolve) => {
      const more = () => {
        while (!connection.socket.destroyed && sent < size && connection.socket.write(chunk)) sent += chunk.length;
      };
      connection.socket.on('drain', more).on('close', resolve);
      more();
    });
    const answer = await connection.waitFor(/The token [^\n]*\n/);
    assert.match(answer, /^HTTP\/1.1 403 Forbidden[\s\S]*connection: close/i);
    await sending;
    assert.ok(sent < 50_000_000, `${sent} bytes were taken`);
  });

  it('that sends a large body before it reads still gets its answer', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.pause();
    connection.socket.write(putHead(500_000, '', '0'.repeat(64)));
    await new Promise((resolve) => connection.socket.write(Buffer.alloc(500_000), resolve));
    connection.socket.resume();
    assert.match(await connection.untilClosed(), /^HTTP\/1.1 403 Forbidden[\s\S]*The token [^\n]*\n$/);
  });

  it('whose trusted proxy passes on the whole body before it reads, as Apache does, still gets its answer', async (t) => {
    const { origin } = await startServer(t, { trustProxy: ['127.0.0.1'] });
    const size = 20_000_000;
    const connection = await connectTo(t, origin);
    connection.socket.pause();
    connection.socket.write(putHead(size, 'X-Forwarded-For: 192.0.2.1\r\n', '0'.repeat(64)));
    const error = await new Promise((resolve) => connection.socket.write(Buffer.alloc(size), resolve));
    assert.ok(!error, String(error));
    connection.socket.resume();
    assert.match(await connection.untilClosed(), /^HTTP\/1.1 403 Forbidden[\s\S]*made for another file\.\n$/);
  });

  it('with a small body keeps its connection', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(`${putHead(5, '', '0'.repeat(64))}hello${putHead(5)}hello`);
    assert.match(await connection.waitFor(/201 Created/), /^HTTP\/1.1 403 [\s\S]*HTTP\/1.1 201 /);
  });
});

describe('an invalid HTTP request', () => {
  const hostile = {
    'a control character in the target': ['GET /upload/s/\x7f.jpg HTTP/1.1\r\nHost: x\r\n\r\n', 400],
    garbage: ['\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400],
    'a header over 16 KiB': [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
    'two lengths': ['PUT /upload/s/f HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
    'length and chunks': [
      'PUT /upload/s/f HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    'no Host': ['GET /upload/s/f HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    'a length with a sign': ['PUT /upload/s/f HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n', 400],
  } as const;
  for (const [what, [bytes, status]] of Object.entries(hostile)) {
    it(`(${what}) is ${status} with the headers of every answer`, async (t) => {
      const { origin, logLines } = await startServer(t);
      const connection = await connectTo(t, origin);
      connection.socket.write(Buffer.from(bytes, 'latin1'));
      const answer = await connection.untilClosed();
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      assert.match(answer, /\r\naccess-control-allow-origin: \*\r\n[\s\S]*connection: close\r\n/i);
      await eventually(async () => logLines.length === 1);
      assert.equal(logLines[0]?.['status'], status);
    });
  }

  it('is 400 on a connection that was used before', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.waitFor(/^HTTP\/1.1 204 [\s\S]*\r\n\r\n/);
    connection.socket.write(Buffer.from('GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n', 'latin1'));
    assert.match(await connection.untilClosed(), /HTTP\/1.1 400 Bad Request[\s\S]*access-control-allow-origin/);
  });
});

describe('an upload that breaks off', () => {
  for (const [what, sent] of [
    ['after its head', 0],
    ['in the middle', 100_000],
    ['one byte short', 199_999],
  ] as const) {
    it(`${what} leaves nothing, and the slot can be retried`, async (t) => {
      const { origin, storeDir, logLines } = await startServer(t);
      const connection = await connectTo(t, origin);
      connection.socket.write(putHead(200_000));
      connection.socket.write(Buffer.alloc(sent));
      await eventually(async () => (await filesIn(storeDir)).length === 1);
      connection.socket.destroy();
      await eventually(async () => logLines.length === 1);
      assert.deepEqual(await filesIn(storeDir), []);
      assert.equal(logLines[0]?.['aborted'], true);
      const url = `${origin}/upload/s/f`;
      assert.equal((await send(url)).status, 404);
      const retry = { method: 'PUT', body: Buffer.alloc(200_000, 'x') };
      assert.equal((await send(`${url}?v=${v1Token('s/f', 200_000)}`, retry)).status, 201);
    });
  }

  it('because it stalls is ended after stallTimeout; one that trickles continues', async (t) => {
    const { origin, storeDir } = await startServer(t, { stallTimeoutMs: 300 });
    const stalled = await connectTo(t, origin);
    stalled.socket.write(
      putHead(10)
        .replace('/s/f?', '/s/stalled?')
        .replace(/v=\w+/, `v=${v1Token('s/stalled', 10)}`),
    );
    stalled.socket.write('12345');
    const trickling = await connectTo(t, origin);
    trickling.socket.write(putHead(10));
    for (let byte = 0; byte < 10; byte += 1) {
      trickling.socket.write('x');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.match(await trickling.waitFor(/\r\n\r\n/), /^HTTP\/1.1 201 /);
    await stalled.untilClosed();
    assert.deepEqual(await filesIn(storeDir), ['s/f']);
  });
});

describe('pipelined requests', () => {
  const get = (name: string) => `GET /upload/${name} HTTP/1.1\r\nHost: x\r\n\r\n`;

  it('are answered in order, each after the effects of the one before', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(`${get('s/f')}${putHead(5)}hello${get('s/f')}`);
    const answers = await connection.waitFor(/hello$/);
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 404', 'HTTP/1.1 201', 'HTTP/1.1 200']);
  });

  it('may send their body later, and with Expect', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(`${get('none')}${putHead(5, 'Expect: 100-continue\r\n')}`);
    await connection.waitFor(/HTTP\/1\.1 404 [\s\S]*HTTP\/1\.1 100 Continue/);
    connection.socket.write('hel');
    await new Promise((resolve) => setTimeout(resolve, 20));
    connection.socket.write(`lo${get('s/f')}`);
    const answers = await connection.waitFor(/hello$/);
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g)?.slice(2), ['HTTP/1.1 201', 'HTTP/1.1 200']);
  });

  const bytes = Buffer.alloc(12_000_000, 'x');
  const pipedStore = (store: ServedStore): ServedStore =>
    Object.assign(Object.create(store), {
      wasDeleted: async () => false,
      open: async (key: UploadKey) => {
        const upload = await store.open(key);
        if (upload === undefined) return undefined;
        const writeTo = (sink: Writable) => pipeline(Readable.from(bytes.toString().match(/x{1,65536}/g) ?? []), sink);
        return { ...upload, writeTo };
      },
    });
  for (const [what, overrides] of [
    ['from the disk', {}],
    ['piped, as from a bucket', { wrapStore: pipedStore }],
  ] as const) {
    it(`do not stop the download before them while the client reads slowly (${what})`, async (t) => {
      const { origin, storeDir } = await startServer(t, overrides);
      await writeFile(path.join(storeDir, 'large'), bytes);
      const connection = await connectTo(t, origin);
      connection.socket.write(`${get('large')}${get('none')}`);
      connection.socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 100));
      connection.socket.resume();
      const answers = await connection.waitFor(/There is no file at this URL\.\n$/);
      assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 404']);
    });
  }

  it('of more than 4 KiB before an answer end the connection after that answer', async (t) => {
    const { origin, logLines } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(get('none').repeat(200));
    const answers = await connection.untilClosed();
    assert.deepEqual(answers.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 404']);
    await eventually(async () => logLines.length === 2);
    assert.ok(logLines.some(({ client, reason }) => client === '127.0.0.1' && reason === undefined));
  });

  it('with Upgrade are answered as others', async (t) => {
    const { origin } = await startServer(t);
    const connection = await connectTo(t, origin);
    const upgrade = get('none').replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    connection.socket.write(`${get('none')}${upgrade}`);
    await connection.waitFor(/There is no file [\s\S]*There is no file at this URL\.\n$/);
  });

  it('of a client that disconnects keep no file open', async (t) => {
    const { origin, storeDir } = await startServer(t);
    await writeFile(path.join(storeDir, 'f'), Buffer.alloc(5_000_000));
    const openFiles = async () => (await readdir('/proc/self/fd')).length;
    const before = await openFiles();
    for (let client = 0; client < 5; client += 1) {
      const connection = await connectTo(t, origin);
      connection.socket.pause();
      connection.socket.write(get('f').repeat(40));
      await new Promise((resolve) => setTimeout(resolve, 50));
      connection.socket.destroy();
    }
    await eventually(async () => (await openFiles()) <= before);
  });

  it('are not read without limit while the client reads no answer', async (t) => {
    const { origin, storeDir } = await startServer(t);
    await writeFile(path.join(storeDir, 'f'), Buffer.alloc(50_000_000));
    const connection = await connectTo(t, origin);
    connection.socket.pause();
    const packet = Buffer.from(get('f').repeat(1000));
    let taken = 0;
    for (let count = 0; count < 1000 && connection.socket.writableLength === 0; count += 1) {
      connection.socket.write(packet);
      await new Promise((resolve) => setTimeout(resolve, 2));
      taken += packet.length;
    }
    assert.ok(taken < 20_000_000, `${taken} bytes of requests were taken`);
  });

  it('that stall after an upload are ended as others', async (t) => {
    const { origin, storeDir, logLines } = await startServer(t, { stallTimeoutMs: 30 });
    await writeFile(path.join(storeDir, 'large'), Buffer.alloc(50_000_000));
    const connection = await connectTo(t, origin);
    connection.socket.pause();
    connection.socket.write(`${putHead(5)}hello${get('large')}${get('none')}`);
    await eventually(async () => logLines.length === 2);
    assert.deepEqual([logLines[0]?.['status'], logLines[1]?.['aborted']], [201, true]);
  });

  it('are answered in full before garbage after them is 400', async (t) => {
    const { origin, storeDir } = await startServer(t);
    const bytes = Buffer.alloc(20_000_000, 'x');
    await writeFile(path.join(storeDir, 'small'), 'x');
    await writeFile(path.join(storeDir, 'large'), bytes);
    const connection = await connectTo(t, origin);
    connection.socket.write(`${get('small')}${get('large')}\x16\x03garbage\r\n\r\n`);
    const received = await connection.untilClosed();
    assert.deepEqual(received.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 400']);
    assert.ok(received.includes(`${bytes}HTTP/1.1 400`));
  });
});

describe('a download', () => {
  it('whose client disconnects closes its file', async (t) => {
    const { origin, storeDir, logLines } = await startServer(t);
    await writeFile(path.join(storeDir, 'f'), Buffer.alloc(50_000_000));
    const connection = await connectTo(t, origin);
    connection.socket.write('GET /upload/f HTTP/1.1\r\nHost: x\r\n\r\n');
    await connection.waitFor(/200 OK/);
    connection.socket.destroy();
    await eventually(async () => logLines.length === 1);
    assert.equal(logLines[0]?.['aborted'], true);
    assert.equal(logLines[0]?.['reason'], 'the client disconnected or stalled');
  });

  it('of a file that becomes shorter is cut off, so that the client notices', async (t) => {
    const { origin, storeDir } = await startServer(t);
    const file = path.join(storeDir, 'f');
    await writeFile(file, Buffer.alloc(50_000_000));
    const connection = await connectTo(t, origin);
    connection.socket.write('GET /upload/f HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await connection.waitFor(/\r\n\r\n/);
    connection.socket.pause();
    await writeFile(file, 'short');
    connection.socket.resume();
    assert.ok((await connection.untilClosed()).length < 50_000_000);
    assert.equal((await send(`${origin}/upload/f`)).body.toString(), 'short');
  });
});
