import type { ServedStore, Store, Tombstones } from '../storage/store.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import type { Retention } from './expiry.js';
import type { LimitSettings } from './limits.js';
import { StoreLimits } from './store-limits.js';
import { Sweeper, type SweeperContext } from './sweeper.js';

/** The limits, and the sweeper that counts and evicts for them. */
export interface OpenRetention {
  readonly limits: StoreLimits;
  readonly sweeper: Sweeper;
}

/** Whether an upload of this key is stored. Throws as `Store.open` does. */
export async function isStored(store: Store, key: UploadKey): Promise<boolean> {
  const upload = await store.open(key);
  upload?.close();
  return upload !== undefined;
}

async function isTaken(store: Store & Tombstones, key: UploadKey): Promise<boolean> {
  return (await isStored(store, key)) || store.wasDeleted(key);
}

/** Connects the limits and the sweeper of a store; nothing runs yet. */
export function openRetention(
  store: ServedStore,
  retention: Retention,
  settings: LimitSettings & { readonly evictMinAgeMs: number },
  { uploaderIds, logger, now }: Pick<SweeperContext, 'logger' | 'now'> & { readonly uploaderIds: UploaderIds },
): OpenRetention {
  const limits: StoreLimits = new StoreLimits(settings, {
    freeBytes: async () => (await store.freeBytes?.()) ?? Number.POSITIVE_INFINITY,
    isTaken: (key) => isTaken(store, key),
    evictableBytes: () => sweeper.evictor.oldest.evictableBytes(),
    dropEvictable: (key) => sweeper.evictor.oldest.drop(key),
    evict: (bytes, isWanted) => sweeper.evictor.evict(bytes, isWanted),
    uploaderIds,
    now,
  });
  const sweeper = new Sweeper({ store, retention, limits, evictMinAgeMs: settings.evictMinAgeMs, logger, now });
  return { limits, sweeper };
}
