import { describe, type TestContext } from 'node:test';
import { openS3Store } from '../../src/storage/open-s3-store.js';
import { type Ceph, cephPrograms, sharedCeph } from '../support/ceph.js';
import { missingPeer } from '../support/peers.js';
import { describeStore } from '../support/store-contract.js';

const path = 'some/path/';

/** The bucket as `[s3]` describes it. */
function optionsFor(ceph: Ceph, bucket: string) {
  const { endpoint, accessKeyId, secretAccessKey } = ceph;
  return {
    region: 'auto',
    endpointUrl: endpoint,
    bucket,
    path,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    download: 'proxy',
    publicUrl: undefined,
  } as const;
}

describe('a bucket of Ceph', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function open(_t: TestContext, { replayWindowMs = 0 } = {}) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    const { store } = await openS3Store({ s3: optionsFor(peer, bucket), replayWindowMs, stallTimeoutMs: 60_000 });
    return { store, bucket, peer, contents: () => peer.keysIn(bucket) };
  }

  describeStore('S3', open);
});
