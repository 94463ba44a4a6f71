import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders, syncFolders } from './folders.js';

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
    for (const folder of await ensureFolders(storeDir, folders, dirMode)) changed.add(folder);
    try {
      await disk.link(file, target);
      break;
    } catch (error) {
      // A deletion may have taken the emptied folder away in between.
      if (systemErrorCode(error) !== 'ENOENT' || attempt === tries) throw error;
    }
  }
  if (!isDurable) return;
  try {
    await syncFolders(changed);
  } catch (error) {
    await disk.unlink(target);
    throw error;
  }
}
