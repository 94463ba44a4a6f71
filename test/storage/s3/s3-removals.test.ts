import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { tombstonePhases } from '../../../src/retention/tombstone-phase.js';
import { openS3Store } from '../../../src/storage/s3/open-s3-store.js';
import type { ServedStore } from '../../../src/storage/store.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { missingPeer } from '../../support/peers.js';
import { createBucketBehindProxy, startS3Proxy } from '../../support/s3-proxy.js';
import { optionsFor, type S3Service } from '../../support/s3-service.js';
import { incoming, key, readBack } from '../../support/store-contract.js';
import { sharedSwift, swiftPrograms } from '../../support/swift.js';
import { uploaderIds } from '../../support/uploader-ids.js';

const hourMs = 60 * 60 * 1000;
const replayWindowMs = 1000;

async function tidy(store: ServedStore): Promise<void> {
  for await (const upload of store.tidy()) assert.fail(`${upload.key} is not to be told of`);
}

function describeRemovals(name: string, programs: readonly string[], share: () => () => Promise<S3Service>): void {
  describe(`${name}: removing`, { skip: missingPeer(...programs) }, () => {
    const service = share();

    /** Two filers on one bucket. The requests of the first one go through a proxy. */
    async function open(t: TestContext, window = replayWindowMs) {
      const peer = await service();
      const proxy = await startS3Proxy(t, peer);
      const bucket = await peer.createBucket();
      let ahead = 0;
      const now = () => Date.now() + ahead;
      const [one, other] = await Promise.all(
        [proxy, peer].map(async (access) => {
          const s3 = optionsFor(access, bucket);
          return (
            await openS3Store({ s3, tombstonePhase: tombstonePhases(window), stallTimeoutMs: 60_000, uploaderIds, now })
          ).store;
        }),
      );
      assert.ok(one !== undefined && other !== undefined);
      const contents = () => peer.keysIn(bucket);
      return { proxy, one, other, contents, advance: (ms: number) => (ahead += ms) };
    }

    it('never deletes an upload that has just replaced an expired tombstone', async (t) => {
      const { proxy, one, other, advance } = await open(t);
      await one.put(key('s/f'), incoming(Buffer.from('first')));
      await one.delete(key('s/f'));
      advance(2100);
      let isPut = false;
      const put = async () => {
        if (!isPut) await other.put(key('s/f'), incoming(Buffer.from('second')));
        isPut = true;
        return undefined;
      };
      // Between the HEAD of the sweep and its DELETE.
      proxy.meddle = ({ method }) => (method === 'DELETE' ? put() : undefined);
      await tidy(one);
      await put();
      await tidy(one);
      assert.equal((await readBack(one, 's/f')).toString(), 'second');
    });

    it('a tombstone happens two hours after it blocked its slot, and in the second hour no PUT replaces it', async (t) => {
      const { one, contents, advance } = await open(t);
      await one.put(key('s/f'), incoming(Buffer.from('first')));
      await one.delete(key('s/f'));
      const before = await contents();
      advance(replayWindowMs + 1.5 * hourMs);
      await tidy(one);
      assert.deepEqual(await contents(), before);
      assert.equal(await one.wasDeleted(key('s/f')), false);
      await assert.rejects(one.put(key('s/f'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN', message: /a sweep/ });
      advance(hourMs);
      await tidy(one);
      assert.deepEqual(await contents(), []);
      await one.put(key('s/f'), incoming(Buffer.from('second')));
    });

    it('is not tried again if its answer is lost: another upload may have come', async (t) => {
      const { proxy, one, other } = await open(t, 0);
      await one.put(key('s/f'), incoming(Buffer.from('first')));
      proxy.meddle = ({ method }) => (method === 'DELETE' ? { cutAfter: 0 } : undefined);
      await assert.rejects(async () => one.delete(key('s/f')), { code: 'STORE_BUSY' });
      await other.put(key('s/f'), incoming(Buffer.from('second')));
      assert.equal(proxy.requests.filter((request) => request.startsWith('DELETE')).length, 2, 'with the probe');
      assert.equal((await readBack(one, 's/f')).toString(), 'second');
    });
  });
}

describe('S3: removing from a full bucket', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(t: TestContext) {
    const { peer, proxy, bucket } = await createBucketBehindProxy(t, await ceph());
    const warnings: string[] = [];
    const s3 = optionsFor(proxy, bucket);
    const warn = (message: string) => warnings.push(message);
    const { store } = await openS3Store({
      s3,
      tombstonePhase: tombstonePhases(hourMs),
      stallTimeoutMs: 60_000,
      uploaderIds,
      warn,
    });
    return { peer, proxy, bucket, store, warnings };
  }

  it('works, and the slot stays blocked', async (t) => {
    const { peer, bucket, store, warnings } = await open(t);
    for (const path of ['s/f', 's/g']) await store.put(key(path), incoming(Buffer.from(path)));
    const quota = ['--quota-scope=bucket', `--bucket=${bucket}`];
    await peer.admin('quota', 'set', ...quota, '--max-objects=2');
    await peer.admin('quota', 'enable', ...quota);
    await assert.rejects(store.put(key('s/h'), incoming(Buffer.from('x'))), { code: 'STORE_FULL' });
    assert.ok(await store.delete(key('s/f')));
    assert.equal(await store.open(key('s/f')), undefined);
    assert.equal(await store.wasDeleted(key('s/f')), true);
    await assert.rejects(store.put(key('s/f'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
    assert.deepEqual(warnings, []);
  });

  // The proxy refuses all PUTs. After a removal, Ceph has room at once, other services later.
  it('works if there is no room even then, and warns that the slot is free', async (t) => {
    const { proxy, store, warnings } = await open(t);
    await store.put(key('s/f'), incoming(Buffer.from('x')));
    proxy.meddle = ({ method }) => (method === 'PUT' ? { refuse: { status: 403, code: 'QuotaExceeded' } } : undefined);
    assert.ok(await store.delete(key('s/f')));
    proxy.meddle = () => undefined;
    assert.deepEqual(
      [await store.open(key('s/f')), await store.wasDeleted(key('s/f')), warnings.length],
      [undefined, false, 1],
    );
    assert.match(
      warnings[0] ?? '',
      /^s\/f was deleted, but the bucket is too full to note that \(replayWindow\): its PUT URL/,
    );
    await store.put(key('s/f'), incoming(Buffer.from('y')));
  });

  // The proxy answers the second PUT as Ceph would after another upload.
  it('works if another upload uses the slot meanwhile', async (t) => {
    const { proxy, store, warnings } = await open(t);
    await store.put(key('s/f'), incoming(Buffer.from('x')));
    proxy.meddle = ({ method, headers }) => {
      if (method !== 'PUT') return undefined;
      const code = headers['if-none-match'] === undefined ? 'QuotaExceeded' : 'PreconditionFailed';
      return { refuse: { status: code === 'QuotaExceeded' ? 403 : 412, code } };
    };
    assert.ok(await store.delete(key('s/f')));
    assert.deepEqual(warnings, []);
  });
});

// The proxy sends a PUT at the worst moment, and loses an answer.
describeRemovals('S3', cephPrograms, sharedCeph);
describeRemovals('S3 without If-Match', swiftPrograms, sharedSwift);
