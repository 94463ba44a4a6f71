import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { ListMultipartUploadsCommand, PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { openS3Store } from '../../../src/storage/s3/open-s3-store.js';
import type { IncomingUpload, ServedStore } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { send } from '../../support/http-client.js';
import { missingPeer } from '../../support/peers.js';
import { optionsFor, pathInBucket } from '../../support/s3-service.js';
import { openStoreIn } from '../../support/s3-store.js';
import { incoming, key, readBack } from '../../support/store-contract.js';
import { ids, uploaderIds } from '../../support/uploader-ids.js';

async function listed(store: ServedStore) {
  const uploads = [];
  for await (const upload of store.list()) uploads.push(upload);
  return uploads;
}

async function tidied(store: ServedStore) {
  const deleted = [];
  for await (const { modifiedAt: _, ...upload } of store.tidy()) deleted.push(upload);
  return deleted;
}

describe('S3: objects', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(replayWindowMs = 0) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    return {
      peer,
      bucket,
      store: await openStoreIn(peer, bucket, replayWindowMs),
      headOf: (path: string) => peer.headOf(bucket, pathInBucket + path),
      write: (input: Omit<PutObjectCommandInput, 'Bucket'>) =>
        peer.client.send(new PutObjectCommand({ Bucket: bucket, ...input })),
    };
  }

  async function headerOf(path: string, facts: Partial<IncomingUpload>) {
    const { store, headOf } = await open();
    await store.put(key(path), incoming(Buffer.from('12345'), facts));
    const head = await headOf(path);
    assert.ok(head, 'no object');
    return head;
  }

  it('name a user whose name is in the key by the id, in listings too', async () => {
    const { peer, bucket, store: before } = await open();
    await before.put(key('romeo/x1/f.txt'), incoming(Buffer.from('12345')));
    const s3 = { ...optionsFor(peer, bucket), region: 'auto' };
    const jidInUrlDomain = 'example.org';
    const { store } = await openS3Store({ s3, stallTimeoutMs: 60_000, uploaderIds, jidInUrlDomain });
    const [upload] = await listed(store);
    assert.deepEqual([upload?.uploader, upload?.isComplete], [ids.ofMysecret, false]);
    const opened = await store.open(key('romeo/x1/f.txt'));
    opened?.close();
    assert.equal(opened?.uploader, ids.ofMysecret);
  });

  it('carry type, disposition and caching for clients that fetch them from the service', async () => {
    const image = await headerOf('s/photo.jpg', { contentType: 'image/jpeg' });
    assert.equal(image.ContentType, 'image/jpeg');
    assert.equal(image.ContentDisposition, 'inline');
    assert.equal(image.CacheControl, 'max-age=31536000, immutable, no-transform');
    assert.equal(image.ExpiresString, undefined);
    assert.deepEqual(Object.keys(image.Metadata ?? {}), ['put-id']);

    const page = await headerOf('s/日本 "x".html', { contentType: 'text/html; charset=utf-8' });
    assert.equal(page.ContentType, 'text/html; charset=utf-8');
    assert.match(
      page.ContentDisposition ?? '',
      /^attachment; filename="[^"\\]*(\\"[^"\\]*)*"; filename\*=UTF-8''%E6%97%A5%E6%9C%AC/,
    );
  });

  it('are no scripts for clients that fetch them from the service, and keep their type here', async () => {
    const { store, headOf } = await open();
    const contentType = 'text/javascript; charset=utf-8';
    await store.put(key('s/f.js'), incoming(Buffer.from('x'), { contentType }));
    assert.equal((await headOf('s/f.js'))?.ContentType, 'application/octet-stream');
    assert.equal((await store.open(key('s/f.js')))?.contentType, contentType);
  });

  it('name the charset of plain text by its bytes for clients that fetch them from the service', async () => {
    const { store, headOf } = await open();
    for (const [path, bytes, type] of [
      ['s/utf8.txt', Buffer.from('Grüße'), 'text/plain; charset=utf-8'],
      ['s/latin1.txt', Buffer.from('Grüße', 'latin1'), 'text/plain; charset=unknown-8bit'],
      ['s/empty.txt', Buffer.alloc(0), 'text/plain; charset=utf-8'],
    ] as const) {
      await store.put(key(path), incoming(bytes, { contentType: 'text/plain' }));
      assert.equal((await headOf(path))?.ContentType, type);
    }
  });

  it('are cached no longer than they are guaranteed to stay', async () => {
    const keptUntil = Date.UTC(2030, 0, 2, 3, 4, 5);
    const { peer, bucket, headOf } = await open();
    const lifetimes = { keptUntil: () => keptUntil, dueAt: () => undefined };
    const s3 = optionsFor(peer, bucket);
    const { store } = await openS3Store({ s3, lifetimes, stallTimeoutMs: 60_000, uploaderIds });
    await store.put(key('s/f'), incoming(Buffer.from('12345')));
    const { CacheControl, ExpiresString } = (await headOf('s/f')) ?? {};
    assert.equal(CacheControl, 'immutable, no-transform');
    assert.equal(Date.parse(ExpiresString ?? ''), keptUntil);
  });

  it('name the expiry, and the uploader by an id only, which only this server can make', async () => {
    const uploader = 'ömer日本@example.org';
    const { store, headOf } = await open();
    await store.put(key('s/f'), incoming(Buffer.from('x'), { uploader, expiresAt: 1_900_000_000_000 }));
    const { Metadata = {} } = (await headOf('s/f')) ?? {};
    const id = uploaderIds.idOf(uploader);
    assert.equal(Metadata['uploader'], id);
    assert.equal(Metadata['expires-at'], '1900000000000');
    const upload = await store.open(key('s/f'));
    assert.deepEqual([upload?.uploader, upload?.expiresAt], [id, 1_900_000_000_000]);
  });

  it('keep the SHA-1 of a JID with which they were stored', async () => {
    const { store, write } = await open(60_000);
    await write({ Key: `${pathInBucket}s/f`, Body: 'x', Metadata: { uploader: ids.ofEjabberd } });
    assert.equal((await store.open(key('s/f')))?.uploader, ids.ofEjabberd);
    await store.delete(key('s/f'));
    assert.deepEqual(await tidied(store), [{ key: 's/f', size: 1, uploader: ids.ofEjabberd }]);
  });

  it('with metadata that somebody else wrote are served, and cannot claim another uploader', async () => {
    const { store, write } = await open(60_000);
    const Metadata = { uploader: '%zz,evil', 'expires-at': '1900000000000,evil', 'put-id': 'x' };
    await write({ Key: `${pathInBucket}s/f.png`, Body: 'x', Metadata });
    const upload = await store.open(key('s/f.png'));
    assert.deepEqual([upload?.uploader, upload?.expiresAt], [undefined, undefined]);
    assert.ok(await store.delete(key('s/f.png')));

    const hash = '0123456789'.repeat(4);
    const forged = { uploader: 'romeo@example.org', size: '99999999', 'modified-at': String(Date.now()) };
    await write({ Key: `${pathInBucket}${hash}/s/f`, Body: 'x', Metadata: forged });
    assert.equal((await store.open(key(`${hash}/s/f`)))?.uploader, hash);
    const tombstone = 'This upload was deleted on the day it came.\n';
    const sizes = { 1: '99999999', 2: '-99999999', 3: 'x' };
    for (const [name, size] of Object.entries(sizes)) {
      const Metadata = { ...forged, 'was-deleted': 'yes', size };
      await write({ Key: `${pathInBucket}${hash}/s/${name}`, Body: tombstone, Metadata });
    }
    assert.deepEqual(await tidied(store), [{ key: `${hash}/s/1`, size: 99_999_999, uploader: hash }]);
  });

  it('that another program stored without a type have the type of their extension', async () => {
    const { store, peer, bucket, write } = await open();
    const place = { Bucket: bucket, Key: `${pathInBucket}s/a.png`, ContentLength: 1 };
    const signableHeaders = new Set(['host', 'content-length']);
    const url = await getSignedUrl(peer.client, new PutObjectCommand(place), { signableHeaders });
    assert.equal((await send(url, { method: 'PUT', body: Buffer.from('x') })).status, 200);
    await write({ Key: `${pathInBucket}s/b.png`, Body: 'x' });
    await write({ Key: `${pathInBucket}s/c.png`, Body: 'x', ContentType: 'image/png, text/html' });
    await write({ Key: `${pathInBucket}s/d.png`, Body: 'x', ContentType: 'Text/HTML' });
    const types = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => (await store.open(key(`s/${name}.png`)))?.contentType),
    );
    assert.deepEqual(types, ['image/png', 'image/png', 'image/png', 'Text/HTML']);
    // This program has written that type, so it is kept.
    await store.put(key('s/e.png'), incoming(Buffer.from('x'), { contentType: 'application/octet-stream' }));
    assert.equal((await store.open(key('s/e.png')))?.contentType, 'application/octet-stream');
  });

  it('outside of the path, or with names that no upload can have, are no uploads', async () => {
    const { store, write, peer, bucket } = await open();
    const names = ['s/f', '../s/f', 's/../f', 's/./f', 's//f', 's/', '/f', 's/a\u0001b', `s/${'n'.repeat(256)}`];
    const foreign = [
      'outside/f',
      'some/pathology/f',
      'some/path',
      ...names.slice(1).map((name) => pathInBucket + name),
    ];
    const reserved = `${pathInBucket}.prosody-filer/own`;
    for (const Key of [...foreign, reserved, `${pathInBucket}s/f`]) await write({ Key, Body: 'x' });
    assert.deepEqual(
      (await listed(store)).map(({ key }) => key),
      ['s/f'],
    );
    assert.deepEqual(await tidied(store), []);
    assert.equal((await peer.keysIn(bucket)).length, foreign.length + 2);
  });

  it('are listed beyond the first thousand', async () => {
    const { store, write } = await open();
    const names = Array.from({ length: 1003 }, (_, index) => `s/${index}.png`);
    for (let start = 0; start < names.length; start += 50) {
      await Promise.all(names.slice(start, start + 50).map((name) => write({ Key: pathInBucket + name, Body: 'x' })));
    }
    const found = await listed(store);
    assert.deepEqual(found.map(({ key }) => key).sort(), [...names].sort());
    assert.ok(found.every(({ size, contentType }) => size === 1 && contentType === 'image/png'));
  });

  it('with names that are too long for the service are refused, and cannot be opened', async () => {
    const { store, peer, bucket } = await open();
    const long = key(`${'日'.repeat(80)}/${'本'.repeat(80)}/${'語'.repeat(80)}/${'n'.repeat(240)}`);
    // With an expiry, the name of its note would be too long as well.
    for (const facts of [{}, { expiresAt: Date.now() + 60_000 }]) {
      await assert.rejects(store.put(long, incoming(Buffer.from('x'), facts)), { code: 'NAME_TOO_LONG' });
    }
    assert.equal(await store.open(long), undefined);
    assert.equal(await store.wasDeleted(long), false);
    assert.equal(await store.delete(long), undefined);
    assert.deepEqual(await peer.keysIn(bucket), []);
    const longest = key(`${'s/'.repeat(3)}${'n/'.repeat(440)}f`);
    const expiresAt = Date.now() - 1;
    await store.put(longest, incoming(Buffer.from('x'), { expiresAt }));
    assert.deepEqual(
      (await listed(store)).map(({ key, expiresAt }) => [key, expiresAt]),
      [[longest, expiresAt]],
    );
  });

  it('of the size of a tombstone are uploads, even with its bytes if no tombstone blocks the slot', async () => {
    const { store } = await open();
    const texts = ['This upload was deleted.\n', 'This upload was deleted on the day it came.\n'];
    const bodies = texts.flatMap((text) => [Buffer.from(text), randomBytes(Buffer.byteLength(text))]);
    for (const [index, body] of bodies.entries()) await store.put(key(`s/${index}`), incoming(body));
    assert.deepEqual((await listed(store)).map(({ key }) => key).sort(), ['s/0', 's/1', 's/2', 's/3']);
    assert.deepEqual(await tidied(store), []);
    for (const [index, body] of bodies.entries()) assert.ok((await readBack(store, `s/${index}`)).equals(body));
  });

  it('have the entity tag of their bytes', async () => {
    const { store } = await open();
    const bytes = randomBytes(100_000);
    await store.put(key('s/f'), incoming(bytes));
    assert.equal((await store.open(key('s/f')))?.etag, `"${createHash('md5').update(bytes).digest('hex')}"`);
  });

  it('are not left in part by an upload that broke off', async () => {
    const { store, peer, bucket } = await open();
    const bytes = randomBytes(30_000_000);
    const { openBody } = incoming(bytes.subarray(0, 20_000_000));
    await assert.rejects(store.put(key('s/f'), incoming(bytes, { openBody })), { code: 'BODY_INCOMPLETE' });
    assert.deepEqual(await peer.keysIn(bucket), []);
    const { Uploads = [] } = await peer.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    assert.deepEqual(Uploads, []);
    await store.put(key('s/f'), incoming(bytes));
  });
});
