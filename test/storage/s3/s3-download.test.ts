import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { FilerError } from '../../../src/errors.js';
import { DownloadMemory } from '../../../src/storage/download-memory.js';
import { S3Bucket } from '../../../src/storage/s3/s3-bucket.js';
import { S3Download } from '../../../src/storage/s3/s3-download.js';
import type { ByteRange } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { eventually } from '../../support/eventually.js';
import { missingPeer } from '../../support/peers.js';
import { createBucketBehindProxy } from '../../support/s3-proxy.js';
import { optionsFor, pathInBucket } from '../../support/s3-service.js';
import { openStoreIn } from '../../support/s3-store.js';
import { incoming, key, readBack } from '../../support/store-contract.js';

const mebibyte = 1024 * 1024;
const bytes = randomBytes(3 * mebibyte);

const makeMemories = () => ({ memory: new DownloadMemory(), readAhead: new DownloadMemory() });

// The proxy breaks answers off, as Ceph does when it restarts or closes a connection that was idle for 65 s.
describe('S3: a download', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(t: TestContext) {
    const { peer, proxy, bucket } = await createBucketBehindProxy(t, await ceph());
    const store = await openStoreIn(proxy, bucket);
    await store.put(key('s/f'), incoming(bytes));
    const place = { Bucket: bucket, Key: `${pathInBucket}s/f` };
    const gets = () => proxy.requests.filter((request) => request.startsWith('GET ')).length;
    return { peer, proxy, bucket, store, place, gets };
  }

  it('arrives completely although the service breaks off time and again', async (t) => {
    const { proxy, store, gets } = await open(t);
    let sent = 0;
    proxy.meddle = ({ method }) => {
      if (method !== 'GET') return undefined;
      sent += 1;
      return sent <= 5 ? { cutAfter: 300_000 } : undefined;
    };
    assert.ok((await readBack(store, 's/f')).equals(bytes));
    assert.equal(gets(), 6);
  });

  it('of a part arrives completely, too', async (t) => {
    const { proxy, store, gets } = await open(t);
    proxy.meddle = ({ method }) => (method === 'GET' && gets() === 1 ? { cutAfter: 300_000 } : undefined);
    const part = await readBack(store, 's/f', { first: 1000, last: 2_000_000 });
    assert.ok(part.equals(bytes.subarray(1000, 2_000_001)));
    assert.equal(gets(), 2);
  });

  it('goes on after an answer without a byte', async (t) => {
    const { proxy, store, gets } = await open(t);
    proxy.meddle = ({ method }) => {
      if (method !== 'GET' || gets() > 4) return undefined;
      return { cutAfter: gets() === 1 ? 300_000 : 0 };
    };
    assert.ok((await readBack(store, 's/f')).equals(bytes));
  });

  it('asks for the rest only when the client has taken all that had arrived', async (t) => {
    const { proxy, store, gets } = await open(t);
    proxy.meddle = ({ method }) => (method === 'GET' && gets() === 1 ? { cutAfter: mebibyte } : undefined);
    const taken: Buffer[] = [];
    let take: (() => void) | undefined;
    let isPaused = true;
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken.push(Buffer.from(chunk));
        if (isPaused) take = done;
        else done();
      },
    });
    const upload = await store.open(key('s/f'));
    const written = upload?.writeTo(sink);
    // Longer than it pauses between two GETs.
    await wait(1500);
    assert.equal(gets(), 1);
    isPaused = false;
    take?.();
    await written;
    assert.equal(gets(), 2);
    assert.ok(Buffer.concat(taken).equals(bytes));
  });

  it('closes its connection to the service when the client takes nothing, and goes on with another one later', async (t) => {
    const { proxy, bucket, gets } = await open(t);
    const idleMs = 300;
    const objects = new S3Bucket({ ...optionsFor(proxy, bucket), region: 'auto' }, 60_000);
    const etag = (await objects.head('s/f'))?.ETag ?? '';
    let body: Readable | undefined;
    const read = async (range: ByteRange) => {
      body = await objects.read('s/f', { etag, size: bytes.length }, range);
      return body;
    };
    const download = new S3Download({ size: bytes.length, open: read, ...makeMemories(), idleMs });
    const sink = new PassThrough();
    const written = download.writeTo(sink);
    await eventually(() => body?.destroyed === true);
    await wait(idleMs);
    assert.equal(gets(), 1);
    assert.ok((await buffer(sink)).equals(bytes));
    await written;
    assert.equal(gets(), 2);
  });

  for (const [what, change] of [
    ['replaced', (place: { Bucket: string; Key: string }) => new PutObjectCommand({ ...place, Body: randomBytes(9) })],
    ['removed', (place: { Bucket: string; Key: string }) => new DeleteObjectCommand(place)],
  ] as const) {
    it(`breaks off if the object was ${what} meanwhile, without a byte of another object`, async (t) => {
      const { peer, proxy, store, place, gets } = await open(t);
      proxy.meddle = async ({ method }) => {
        if (method !== 'GET') return undefined;
        if (gets() === 2) await peer.client.send(change(place) as PutObjectCommand);
        return { cutAfter: 300_000 };
      };
      const taken: Buffer[] = [];
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          taken.push(Buffer.from(chunk));
          done();
        },
      });
      const upload = await store.open(key('s/f'));
      await assert.rejects(async () => upload?.writeTo(sink), { code: 'UPLOAD_REPLACED' });
      const beginning = Buffer.concat(taken);
      assert.ok(beginning.length > 0 && beginning.equals(bytes.subarray(0, beginning.length)));
      assert.equal(sink.writableEnded, false);
    });
  }

  it('fails if the service sends other bytes than it was asked for', async (t) => {
    const { proxy, store } = await open(t);
    const other = 'x'.repeat(bytes.length);
    proxy.meddle = ({ method }) => (method === 'GET' ? { rewrite: () => other } : undefined);
    await assert.rejects(readBack(store, 's/f', { first: 0, last: 9 }), { code: 'STORE_FAILED' });
  });
});

it('a download with a pipelined request behind it does not retry a broken service without pause', async () => {
  const sink = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => setImmediate(done) });
  // Node resets it by a listener that it removes when the next request arrives.
  Object.defineProperty(sink, 'writableNeedDrain', { value: true });
  let gets = 0;
  const open = async () => {
    gets += 1;
    if (gets > 1) throw new FilerError('STORE_BUSY', 'the service is gone');
    return Readable.from([Buffer.alloc(10)]);
  };
  const download = new S3Download({ size: 20, open, ...makeMemories() });
  const written = assert.rejects(download.writeTo(sink), { code: 'BODY_INCOMPLETE' });
  // Longer than it pauses between two GETs.
  await wait(1500);
  sink.destroy();
  await written;
  assert.ok(gets <= 4, `${gets} GETs`);
});
