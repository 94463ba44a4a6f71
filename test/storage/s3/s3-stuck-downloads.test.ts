import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { DownloadMemory } from '../../../src/storage/download-memory.js';
import { S3Download } from '../../../src/storage/s3/s3-download.js';
import { eventually } from '../../support/eventually.js';
import { listenOnFreePort } from '../../support/listening.js';

const mebibyte = 1024 * 1024;
// More bytes than the system's buffers hold.
const bytes = randomBytes(24 * mebibyte);

async function listen(t: TestContext, onRequest: RequestListener) {
  const server = createServer({ keepAliveTimeout: 1 }, onRequest);
  const port = await listenOnFreePort(t, server);
  const ask = async (headers = {}) => {
    const request = get({ port, host: '127.0.0.1', agent: false, headers }).on('error', () => undefined);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return answer;
  };
  return { ask, connections: () => new Promise<number>((resolve) => server.getConnections((_, n) => resolve(n))) };
}

/** A service with one object, and a server whose clients download it. */
async function start(t: TestContext, limits: { idleMs?: number; maxBytes?: number; maxReadAhead?: number }) {
  const service = await listen(t, ({ headers }, answer) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    answer.writeHead(206).end(bytes.subarray(Number(first), Number(last) + 1));
  });
  let gets = 0;
  const source = {
    size: bytes.length,
    open: ({ first = 0, last = 0 }) => {
      gets += 1;
      return service.ask({ range: `bytes=${first}-${last}` });
    },
    memory: new DownloadMemory(limits.maxBytes),
    readAhead: new DownloadMemory(limits.maxReadAhead),
    idleMs: limits.idleMs ?? 60_000,
  };
  const ends: string[] = [];
  const clients = await listen(t, ({ headers: { from: name } }, answer) => {
    const note = (end: string) => ends.push(`${name}: ${end}`);
    new S3Download(source).writeTo(answer).then(
      () => note('whole'),
      ({ code }) => note(code),
    );
    // The log line is written then.
    answer.once('close', () => setImmediate(note, 'closed'));
  });
  /** Begins a download and takes no byte of it. */
  const beginStuck = async (name: string) => {
    const answer = await clients.ask({ from: name });
    answer.on('error', () => undefined).pause();
    return answer;
  };
  return { service, beginStuck, ends, gets: () => gets };
}

describe('a download from S3 whose client takes nothing', () => {
  it('occupies no connection to the service for long, and arrives completely when its client goes on', async (t) => {
    const { service, beginStuck, gets } = await start(t, { idleMs: 1000 });
    const answer = await beginStuck('a');
    assert.equal(await service.connections(), 1);
    await eventually(async () => (await service.connections()) === 0);
    assert.equal(gets(), 1);
    assert.ok((await buffer(answer)).equals(bytes));
    assert.ok(gets() > 1);
  });

  for (const [when, idleMs] of [
    ['while the service waits', 60_000],
    ['after its connection was let go', 100],
  ] as const) {
    it(`ends ${when} if others need its memory, with the reason before the log line is written`, async (t) => {
      const { beginStuck, ends } = await start(t, { idleMs, maxBytes: 300_000 });
      const answers: IncomingMessage[] = [];
      // Six fill the memory, unless a busy machine brings their bytes in small pieces.
      for (let count = 0; count < 6 || (ends.length < 2 && count < 20); count += 1) {
        answers.push(await beginStuck('abcdefghijklmnopqrst'.charAt(count)));
        // Until the system's buffers are full, so that each has waited longer than the next.
        await wait(200);
      }
      // The system's buffers decide which of the first ones has waited longest; download-memory.test.ts holds the order.
      const ofFirst = () => ends.filter((end) => end[0] === ends[0]?.[0]).map((end) => end.slice(3));
      await eventually(() => ofFirst().length === 2);
      assert.deepEqual(ofFirst(), ['DOWNLOADS_LIMITED', 'closed']);
      assert.ok(ends.length < 8, ends.join());
      // Other downloads may have to make room for it.
      const latest = answers.at(-1);
      assert.ok(latest !== undefined && (await buffer(latest)).equals(bytes));
    });
  }

  it('closes its connection at once if many wait, and arrives completely', async (t) => {
    const { service, beginStuck, ends } = await start(t, { maxReadAhead: 300_000 });
    const answers = [];
    for (let count = 0; count < 6; count += 1) answers.push(await beginStuck('a'));
    await eventually(async () => (await service.connections()) === 2);
    assert.deepEqual(ends, []);
    for (const answer of answers) assert.ok((await buffer(answer)).equals(bytes));
  });
});
