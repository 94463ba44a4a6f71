import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { ServedStore } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { missingPeer } from '../../support/peers.js';
import { pathInBucket } from '../../support/s3-service.js';
import { openStoreIn } from '../../support/s3-store.js';
import { incoming, key } from '../../support/store-contract.js';
import { ids } from '../../support/uploader-ids.js';

const hourMs = 60 * 60 * 1000;

describe('S3: the expiry of a token', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(replayWindowMs = 0) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    return { store: await openStoreIn(peer, bucket, replayWindowMs), bucket, keys: () => peer.keysIn(bucket) };
  }

  async function listed(store: ServedStore) {
    const found = [];
    for await (const { key, expiresAt, uploader } of store.list()) found.push([key, expiresAt, uploader]);
    return found;
  }

  it('is listed first once it is due, and is removed with the upload', async () => {
    const { store, keys } = await open();
    const [past, future] = [Date.now() - 1000, Date.now() + hourMs];
    const uploader = 'romeo@example.org';
    await store.put(key('a/plain'), incoming(Buffer.from('x')));
    await store.put(key('a/later'), incoming(Buffer.from('x'), { expiresAt: future, uploader }));
    await store.put(key('z/due'), incoming(Buffer.from('x'), { expiresAt: past, uploader }));
    assert.deepEqual(await listed(store), [
      ['z/due', past, ids.ofMysecret],
      ['a/later', undefined, undefined],
      ['a/plain', undefined, undefined],
    ]);
    for (const path of ['z/due', 'a/later', 'a/plain']) assert.ok(await store.delete(key(path)));
    assert.deepEqual(await keys(), []);
  });

  it('leaves a tombstone as other deletions do, and removes its note', async () => {
    const { store, keys } = await open(hourMs);
    await store.put(key('s/f'), incoming(Buffer.from('x'), { expiresAt: Date.now() - 1000 }));
    await store.delete(key('s/f'));
    assert.deepEqual(await keys(), [`${pathInBucket}s/f`]);
    assert.deepEqual(await listed(store), []);
  });

  it('is forgotten a day after it is due if its upload never came, and kept before that', async () => {
    const { store, keys, bucket } = await open();
    const { client } = await ceph();
    const noteOf = (expiresAt: number, path: string) =>
      `${pathInBucket}.prosody-filer/expiring/${new Date(expiresAt).toISOString()}/${randomUUID()}/${path}`;
    const [past, future] = [Date.now() - 25 * hourMs, Date.now() + hourMs];
    await store.put(key('s/f'), incoming(Buffer.from('x'), { expiresAt: past }));
    const before = await keys();
    const kept = [noteOf(future, 's/none'), noteOf(Date.now() - hourMs, 's/coming')];
    for (const Key of [noteOf(past, 's/none'), noteOf(past, 's/f'), ...kept]) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    }
    assert.deepEqual(await listed(store), [['s/f', past, undefined]]);
    for await (const upload of store.tidy()) assert.fail(`${upload.key} is no deleted upload`);
    assert.deepEqual((await keys()).sort(), [...before, ...kept].sort());
  });

  it('may be far in the past or in the future', async () => {
    const { store } = await open();
    for (const [name, expiresAt] of Object.entries({ never: 10 ** 15 - 1, before: 0 })) {
      await store.put(key(`s/${name}`), incoming(Buffer.from('x'), { expiresAt }));
      assert.equal((await store.open(key(`s/${name}`)))?.expiresAt, expiresAt);
    }
    assert.deepEqual(await listed(store), [
      ['s/before', 0, undefined],
      ['s/never', undefined, undefined],
    ]);
  });
});
