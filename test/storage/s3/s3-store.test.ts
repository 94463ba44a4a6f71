import { describe, type TestContext } from 'node:test';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { missingPeer } from '../../support/peers.js';
import { openStoreIn } from '../../support/s3-store.js';
import { describeStore } from '../../support/store-contract.js';

describe('a bucket of Ceph', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(_t: TestContext, { replayWindowMs = 0 } = {}) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    return { store: await openStoreIn(peer, bucket, replayWindowMs), contents: () => peer.keysIn(bucket) };
  }

  describeStore('S3', open, { isLimited: false });
});
