import { describe, type TestContext } from 'node:test';
import { openS3Store } from '../../src/storage/open-s3-store.js';
import { cephPrograms, sharedCeph } from '../support/ceph.js';
import { missingPeer } from '../support/peers.js';
import { optionsFor } from '../support/s3-service.js';
import { describeStore } from '../support/store-contract.js';

describe('a bucket of Ceph', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(_t: TestContext, { replayWindowMs = 0 } = {}) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    const s3 = { ...optionsFor(peer, bucket), region: 'auto' };
    const { store } = await openS3Store({ s3, replayWindowMs, stallTimeoutMs: 60_000 });
    return { store, bucket, peer, contents: () => peer.keysIn(bucket) };
  }

  describeStore('S3', open);
});
