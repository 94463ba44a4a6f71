import type { DeletedUpload, Store } from '../storage/store.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { Limits } from './limits.js';

/**
 * Deletes an upload because somebody asked for it, and gives back its room; `undefined` if there was none. Its slot stays
 * blocked. Throws as `Store.delete` does.
 */
export async function removeUpload(
  key: UploadKey,
  { store, limits }: { readonly store: Pick<Store, 'delete'>; readonly limits: Pick<Limits, 'forget'> },
): Promise<DeletedUpload | undefined> {
  const deleted = await store.delete(key);
  if (deleted !== undefined) limits.forget(deleted);
  return deleted;
}
