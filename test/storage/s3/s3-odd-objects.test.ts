import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ServedStore, UnreadableEntry } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { send } from '../../support/http-client.js';
import { missingPeer } from '../../support/peers.js';
import { createBucketBehindProxy, type Meddling, type PassingRequest, startS3Proxy } from '../../support/s3-proxy.js';
import { pathInBucket } from '../../support/s3-service.js';
import { openStoreIn } from '../../support/s3-store.js';
import { incoming, key, readBack } from '../../support/store-contract.js';

/** Lists and tidies as a sweep does; resolves to the keys and the reports, each once. */
async function sweep(store: ServedStore) {
  const reports = new Map<string, string>();
  const onUnreadable = ({ path, reason }: UnreadableEntry) => reports.set(path, reason);
  const keys: string[] = [];
  for await (const upload of store.list({ withUploaders: true, onUnreadable })) keys.push(upload.key);
  const deleted: string[] = [];
  for await (const upload of store.tidy({ onUnreadable })) deleted.push(upload.key);
  return { keys, deleted, reports: Object.fromEntries(reports) };
}

describe('S3: odd objects', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(t: TestContext) {
    const { peer, proxy, bucket } = await createBucketBehindProxy(t, await ceph());
    const write = (name: string, Body = 'x', Metadata: Record<string, string> = {}) =>
      peer.client.send(new PutObjectCommand({ Bucket: bucket, Key: pathInBucket + name, Body, Metadata }));
    return { peer, proxy, bucket, write, store: await openStoreIn(proxy, bucket, 60_000) };
  }

  it('with names that no upload can have are reported, without control characters; folders are not reported', async (t) => {
    const { store, write } = await open(t);
    for (const name of ['s/f', 's/a\u0007b', 's//g', '../h']) await write(name);
    for (const folder of ['', 's/', 's/t/']) await write(folder, '');
    assert.deepEqual(await sweep(store), {
      keys: ['s/f'],
      deleted: [],
      reports: {
        'some/path/../h': 'no upload can have this name',
        'some/path/s//g': 'no upload can have this name',
        'some/path/s/a\\u0007b': 'no upload can have this name',
      },
    });
  });

  it('among the notes of expiries are reported and stay, and the other notes count', async (t) => {
    const { store, write, peer, bucket } = await open(t);
    const expiresAt = Date.now() - 48 * 3_600_000;
    await store.put(key('s/f'), incoming(Buffer.from('x'), { expiresAt }));
    await write('s/other');
    const at = new Date(expiresAt).toISOString();
    const notes = [
      `0000-99-99T00:00:00.000Z/${randomUUID()}/s/f`,
      `2020-01-01/${randomUUID()}/s/f`,
      `${at}/${randomUUID()}/../f`,
      `${at}/${randomUUID()}/`,
      `${at}`,
      'a',
    ].map((note) => `.prosody-filer/expiring/${note}`);
    for (const note of notes) await write(note);
    // The note of another PUT is removed, as is that of an upload that is gone.
    await write(`.prosody-filer/expiring/${at}/${randomUUID()}/s/other`);
    const { keys, reports } = await sweep(store);
    assert.deepEqual(keys.sort(), ['s/f', 's/other']);
    const expected = notes.map((note) => [pathInBucket + note, 'it is not the note of an expiry']);
    assert.deepEqual(reports, Object.fromEntries(expected));
    assert.equal((await peer.keysIn(bucket)).length, notes.length + 3);
  });

  it('with metadata that make no sense are listed with their other facts, or reported', async (t) => {
    const { store, write, peer, bucket } = await open(t);
    const nonsense = { uploader: 'x', 'expires-at': '99999999999999999999', 'put-id': '-1', 'due-at': 'never' };
    await write('s/f', 'x', nonsense);
    const tombstone = 'This upload was deleted on the day it came.\n';
    const facts = { 'was-deleted': 'yes', uploader: '0123456789'.repeat(4), size: '1', 'modified-at': '1' };
    const future = String(Date.now() + 10 * 24 * 3_600_000);
    await write('s/future', tombstone, { ...facts, 'modified-at': future });
    await write('s/large', tombstone, { ...facts, size: '999999999999999' });
    await write('s/right', tombstone, facts);
    // Ceph accepts headers that are not signed as they are.
    const place = { Bucket: bucket, Key: `${pathInBucket}s/g`, ContentLength: 1 };
    const signableHeaders = new Set(['host', 'content-length']);
    const url = await getSignedUrl(peer.client, new PutObjectCommand(place), { signableHeaders });
    const headers = { 'x-amz-meta-uploader': '\xff\xfe', 'x-amz-meta-expires-at': '-1' };
    assert.equal((await send(url, { method: 'PUT', headers, body: Buffer.from('x') })).status, 200);
    const { keys, deleted, reports } = await sweep(store);
    assert.deepEqual(keys, ['s/f', 's/g']);
    assert.deepEqual(deleted, ['s/right']);
    const reason = 'its metadata do not describe a deleted upload';
    assert.deepEqual(reports, { 'some/path/s/future': reason, 'some/path/s/large': reason });
    for (const path of keys) assert.ok(await store.delete(key(path)));
  });

  // Ceph 16 has no permission that refuses the HEAD of a single object, so the proxy refuses it.
  for (const [status, code] of [
    [403, 'AccessDenied'],
    [500, 'InternalError'],
  ] as const) {
    it(`for which the service answers ${status} are reported, and the others are listed and tidied`, async (t) => {
      const { store, proxy } = await open(t);
      const facts = { uploader: 'romeo@example.org' };
      const past = { ...facts, expiresAt: Date.now() - 48 * 3_600_000 };
      await store.put(key('s/a'), incoming(Buffer.from('x'), facts));
      await store.put(key('s/due'), incoming(Buffer.from('x'), past));
      await store.put(key('s/odd'), incoming(Buffer.from('x'), past));
      await store.put(key('s/gone'), incoming(Buffer.from('x'), facts));
      await store.delete(key('s/gone'));
      proxy.meddle = ({ method, key }) =>
        method === 'HEAD' && key === `${pathInBucket}s/odd` ? { refuse: { status, code } } : undefined;
      const { keys, deleted, reports } = await sweep(store);
      assert.deepEqual(keys, ['s/due', 's/a', 's/odd']);
      assert.deepEqual(deleted, ['s/gone']);
      assert.deepEqual(Object.keys(reports), ['some/path/s/odd']);
      assert.match(reports['some/path/s/odd'] ?? '', new RegExp(`^S3 HEAD: ${status}`));
    });
  }

  for (const [what, meddling] of [
    ['busy', { refuse: { status: 503, code: 'SlowDown' } }],
    ['out of reach', { cutAfter: 0 }],
  ] as const) {
    it(`make the sweep fail while the service is ${what}`, async (t) => {
      const { store, proxy } = await open(t);
      await store.put(key('s/a'), incoming(Buffer.from('x'), { uploader: 'romeo@example.org' }));
      for (const wanted of ['HEAD', 'GET']) {
        proxy.meddle = ({ method }) => (method === wanted ? meddling : undefined);
        await assert.rejects(sweep(store), { code: 'STORE_BUSY' });
      }
    });
  }
});

// Ceph encodes the names in listings, says so, and says where the next page begins. The proxy changes that.
describe('S3: listings', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  const names = ['s/%41', 's/100%', 's/a+b', 's/a b', 's/日本'];

  async function open(t: TestContext, rewrite: (xml: string) => string) {
    const peer = await ceph();
    const proxy = await startS3Proxy(t, peer);
    const store = await openStoreIn(proxy, await peer.createBucket());
    for (const name of names) await store.put(key(name), incoming(Buffer.from(name)));
    proxy.meddle = ({ query }: PassingRequest): Meddling | undefined =>
      query.has('list-type') ? { rewrite } : undefined;
    return store;
  }

  const decoded = (name: string) => decodeURIComponent(name.replaceAll('+', ' '));

  it('of a service that ignores encoding-type are read without decoding', async (t) => {
    const store = await open(t, (xml) =>
      xml
        .replace('<EncodingType>url</EncodingType>', '')
        .replaceAll(/<Key>(.*?)<\/Key>/g, (_, name: string) => `<Key>${decoded(name)}</Key>`),
    );
    const { keys, reports } = await sweep(store);
    assert.deepEqual(keys.sort(), [...names].sort());
    assert.deepEqual(reports, {});
    for (const name of keys) assert.equal((await readBack(store, name)).toString(), name);
  });

  it('report a name that is not UTF-8, and continue', async (t) => {
    const store = await open(t, (xml) => xml.replace(/<Key>[^<]*a%2Bb<\/Key>/, '<Key>some/path/s/%FF</Key>'));
    const { keys, reports } = await sweep(store);
    assert.deepEqual(keys.sort(), names.filter((name) => name !== 's/a+b').sort());
    assert.deepEqual(reports, { 'some/path/s/%FF': 'its name is not UTF-8' });
  });

  for (const [what, next] of [
    ['the same page again', '<NextContinuationToken>x</NextContinuationToken>'],
    ['no next page', ''],
  ] as const) {
    it(`with ${what} fail, so that they neither run for ever nor miss uploads`, async (t) => {
      const store = await open(t, (xml) =>
        xml.replace(/<IsTruncated>false<\/IsTruncated>/, `<IsTruncated>true</IsTruncated>${next}`),
      );
      await assert.rejects(sweep(store), { code: 'STORE_FAILED', message: /does not say where the next page begins/ });
    });
  }
});
