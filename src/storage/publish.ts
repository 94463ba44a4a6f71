import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders, removeEmptyFolders, syncFolders } from './folders.js';

const tries = 3;

/**
 * Links a complete file to its place in the tree, making the folders on the way; never replaces anything.
 * A durable publication has flushed every folder that it changed. Throws `KEY_TAKEN` or the system's error (`EEXIST`),
 * and then nothing is published.
 */
export async function publish(
  file: string,
  storeDir: string,
  key: UploadKey,
  { dirMode, isDurable }: { dirMode?: number | undefined; isDurable: boolean },
): Promise<void> {
  const target = path.join(storeDir, key);
  const folders = key.split('/').slice(0, -1);
  const changed = new Set([path.dirname(target)]);
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const folder of await ensureFolders(storeDir, folders, dirMode)) changed.add(folder);
      await disk.link(file, target);
      break;
    } catch (error) {
      // A deletion, or a publication that failed, may have taken the empty folder away in between.
      if (systemErrorCode(error) === 'ENOENT' && attempt < tries) continue;
      await removeEmptyFolders(storeDir, path.dirname(target));
      throw error;
    }
  }
  if (!isDurable) return;
  try {
    await syncFolders(changed);
  } catch (error) {
    await disk.unlink(target);
    await removeEmptyFolders(storeDir, path.dirname(target));
    throw error;
  }
}
