import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { openS3Store } from '../../src/storage/s3/open-s3-store.js';
import type { ServedStore } from '../../src/storage/store.js';
import { optionsFor, type S3Access } from './s3-service.js';
import { uploaderIds } from './uploader-ids.js';

/** A store in this bucket, one of possibly several, with a clock of its own. */
export async function openStoreIn(
  service: S3Access,
  bucket: string,
  replayWindowMs = 0,
  now: () => number = Date.now,
): Promise<ServedStore> {
  const s3 = { ...optionsFor(service, bucket), region: 'auto' };
  const { store } = await openS3Store({
    s3,
    tombstonePhase: tombstonePhases(replayWindowMs),
    stallTimeoutMs: 60_000,
    uploaderIds,
    now,
  });
  return store;
}
