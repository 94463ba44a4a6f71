import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { DeletedUpload } from '../store.js';
import { disk, findStats } from './disk-calls.js';
import type { Flusher } from './flusher.js';
import { removeEmptyFolders } from './folders.js';
import { isGone } from './pass-over.js';
import type { SidecarFolder } from './sidecar.js';

/** Removes an upload, its sidecar, and its folders as far as they are empty. False if the upload was gone. */
export async function removeUpload(
  storeDir: string,
  sidecars: SidecarFolder,
  { key, size, modifiedAt }: DeletedUpload,
): Promise<boolean> {
  const file = path.join(storeDir, key);
  try {
    await disk.unlink(file);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
  // The upload is deleted even if its sidecar cannot be. A sweep reports the sidecar.
  await sidecars.remove(key, size, modifiedAt).catch(() => undefined);
  await removeEmptyFolders(storeDir, path.dirname(file));
  return true;
}

async function isFolder(file: string): Promise<boolean> {
  // What cannot be looked at, such as a loop of symbolic links, is not the folder of an upload.
  return (await findStats(file).catch(() => undefined))?.isDirectory() === true;
}

/**
 * Flushes that no upload has this key. If its folder went with it, the nearest one above that is left has lost an entry, and is
 * flushed. The sidecar may come back: a sweep removes it.
 */
export async function flushRemoval(flusher: Flusher, storeDir: string, key: UploadKey): Promise<void> {
  let folder = path.dirname(path.join(storeDir, key));
  for (; folder !== storeDir; folder = path.dirname(folder)) {
    if (!(await isFolder(folder))) continue;
    try {
      return await flusher.flush([folder]);
    } catch (error) {
      // Another deletion may have removed the folder in between.
      if (!isGone(error)) throw error;
    }
  }
  await flusher.flush([storeDir]);
}
