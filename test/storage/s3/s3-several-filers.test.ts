import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServedStore } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { missingPeer } from '../../support/peers.js';
import { openStoreIn } from '../../support/s3-store.js';
import { incoming, key, readBack } from '../../support/store-contract.js';

const hourMs = 60 * 60 * 1000;

describe('S3: two filers on one bucket', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function openTwo(replayWindowMs = 0) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    let aheadMs = 0;
    const now = () => Date.now() + aheadMs;
    const [a, b] = await Promise.all([1, 2].map(() => openStoreIn(peer, bucket, replayWindowMs, now)));
    assert.ok(a !== undefined && b !== undefined);
    return { a, b, keys: () => peer.keysIn(bucket), advance: (ms: number) => (aheadMs += ms) };
  }

  /** Puts on both at once, and asserts that one has succeeded; resolves to its text. */
  async function race(stores: readonly ServedStore[], path: string, expiresAt?: number): Promise<string> {
    const texts = stores.map((_, index) => `${path} of ${index}`);
    const results = await Promise.allSettled(
      stores.map((store, index) => store.put(key(path), incoming(Buffer.from(texts[index] ?? ''), { expiresAt }))),
    );
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    // Ceph says 500 if both replace a tombstone.
    assert.match(refusals.join(), /^(KEY_TAKEN|STORE_BUSY)$/);
    const winners = texts.filter((_, index) => results[index]?.status === 'fulfilled');
    assert.equal(winners.length, 1);
    return winners[0] ?? '';
  }

  it('store exactly one of two racing uploads, 20 times', async () => {
    const { a, b, keys } = await openTwo();
    const expiresAt = Date.now() + hourMs;
    for (let round = 0; round < 20; round += 1) {
      const winner = await race([a, b], `s/${round}`, expiresAt);
      for (const store of [a, b]) assert.equal((await readBack(store, `s/${round}`)).toString(), winner);
    }
    assert.equal((await keys()).length, 40, 'an upload and the note of its expiry');
  });

  it('see the deletions of the other', async () => {
    const { a, b } = await openTwo(hourMs);
    await a.put(key('s/f'), incoming(Buffer.from('x')));
    assert.ok(await b.delete(key('s/f')));
    assert.equal(await a.open(key('s/f')), undefined);
    assert.equal(await a.wasDeleted(key('s/f')), true);
    assert.equal(await a.delete(key('s/f')), undefined);
    await assert.rejects(a.put(key('s/f'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
  });

  it('use a slot again exactly once when its tombstone no longer blocks it', async () => {
    const { a, b, keys, advance } = await openTwo(2000);
    const paths = Array.from({ length: 10 }, (_, index) => `s/${index}`);
    for (const path of paths) await a.put(key(path), incoming(Buffer.from('first')));
    for (const path of paths) await b.delete(key(path));
    advance(3000);
    for (const path of paths) {
      const winner = await race([a, b], path);
      assert.equal((await readBack(b, path)).toString(), winner);
    }
    assert.equal((await keys()).length, paths.length);
  });
});
