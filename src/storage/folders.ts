import { chmod, lstat, mkdir, open, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, systemErrorCode } from '../errors.js';

const defaultMode = 0o755;
const youngMs = 60_000;

/** Whether the folder is new: made here, or by somebody else who may not have flushed it yet. */
async function makeFolder(folder: string, mode: number | undefined): Promise<boolean> {
  try {
    await mkdir(folder, { mode: mode ?? defaultMode });
    if (mode !== undefined) await chmod(folder, mode);
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    const stats = await lstat(folder);
    if (stats.isDirectory()) return Date.now() - stats.birthtimeMs < youngMs;
    throw new FilerError('KEY_TAKEN', `a file stands where this path needs a folder (${folder})`, { cause: error });
  }
}

/**
 * Makes the folders that are missing below an existing root, never through a symbolic link; resolves to those with a
 * new entry. The mode holds whatever the umask, 0755 less the umask if not set. Throws `KEY_TAKEN` where something else stands in the way, and `ENOENT` for a root that is gone.
 */
export async function ensureFolders(root: string, segments: readonly string[], mode?: number): Promise<string[]> {
  const changed: string[] = [];
  let parent = root;
  for (const segment of segments) {
    const folder = path.join(parent, segment);
    if (await makeFolder(folder, mode)) changed.push(parent);
    parent = folder;
  }
  return changed;
}

/** Removes a folder of an upload that is gone, and those above it below the root, as far as they are empty. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  if (folder === root) return;
  try {
    await rmdir(folder);
  } catch (error) {
    // Other uploads lie in it; but one that was never made may have parents that were.
    if (systemErrorCode(error) !== 'ENOENT') return;
  }
  await removeEmptyFolders(root, path.dirname(folder));
}

/** Makes the entries of folders survive a power failure (fsync of the folders themselves). */
export async function syncFolders(folders: Iterable<string>): Promise<void> {
  for (const folder of folders) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
