import { describe, it } from 'node:test';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { cephPrograms, sharedCeph } from '../support/ceph.js';
import { missingPeer } from '../support/peers.js';
import { createBucketBehindProxy } from '../support/s3-proxy.js';
import { pathInBucket, type S3Service } from '../support/s3-service.js';
import { FlappingS3 } from './flapping-s3.js';
import { flaps, type MakeSite, soak } from './soak.js';

/** S3 keeps whole seconds. */
const grainMs = 1000;

/** All objects that are no tombstones and no bookkeeping. */
async function uploadsIn(service: S3Service, bucket: string): Promise<Map<string, number>> {
  const uploads = new Map<string, number>();
  for await (const { Contents = [] } of paginateListObjectsV2({ client: service.client }, { Bucket: bucket })) {
    for (const { Key = '', Size = 0 } of Contents) {
      const key = Key.slice(pathInBucket.length);
      if (key.startsWith('.prosody-filer/')) continue;
      // Nothing else has the size of a tombstone.
      if (Size > 20 && Size < 60) {
        const head = await service.headOf(bucket, Key);
        if (head === undefined || head.Metadata?.['was-deleted'] !== undefined) continue;
      }
      uploads.set(key, Size);
    }
  }
  return uploads;
}

describe('a night of use with a bucket', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  const bucketSite: MakeSite = async (t, dice, history) => {
    const { peer, proxy, bucket } = await createBucketBehindProxy(t, await ceph());
    const flapping = new FlappingS3(proxy, dice, history);
    const { endpoint: endpointUrl, accessKeyId, secretAccessKey } = proxy;
    const access = { bucket, endpointUrl, accessKeyId, secretAccessKey, path: pathInBucket, forcePathStyle: true };
    return {
      settings: { s3: access, storeDir: undefined },
      grainMs,
      troubles: flapping.troubles,
      isFlapping: true,
      flap: (signal) => flapping.flap(signal, flaps),
      uploads: () => uploadsIn(peer, bucket),
      leftOvers: async () => [],
      maxIdleFiles: 200,
    };
  };

  it('that fails now and then: what was answered 201 is served whole until it may go, and nothing else is', (t) =>
    soak(t, bucketSite));
});
