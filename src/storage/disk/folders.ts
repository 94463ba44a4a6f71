import { chmod, lstat, mkdir, open, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, systemErrorCode } from '../../errors.js';

const defaultMode = 0o755;
const youngMs = 60_000;

/**
 * Gives a new folder its mode whatever the umask. A setgid bit that it has from its parent stays, since by it what is made
 * in there belongs to the parent's group; systemd's RestrictSUIDSGID= lets it be inherited, but not be part of a chmod.
 */
async function setMode(folder: string, mode: number): Promise<void> {
  const { mode: found } = await lstat(folder);
  if ((found & 0o777) === mode) return;
  const inherited = found & 0o7000;
  try {
    await chmod(folder, inherited | mode);
  } catch (error) {
    if (inherited === 0 || systemErrorCode(error) !== 'EPERM') throw error;
    await chmod(folder, mode);
  }
}

/** Whether it was there; one that is young may have been made by somebody who has not flushed it yet. */
async function makeFolder(folder: string, mode: number | undefined): Promise<'made' | 'young' | 'old'> {
  try {
    await mkdir(folder, { mode: mode ?? defaultMode });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    const stats = await lstat(folder);
    if (stats.isDirectory()) return Date.now() - stats.birthtimeMs < youngMs ? 'young' : 'old';
    throw new FilerError('KEY_TAKEN', `a file stands where this path needs a folder (${folder})`, { cause: error });
  }
  try {
    if (mode !== undefined) await setMode(folder, mode);
  } catch (error) {
    await removeFolders([folder]);
    throw error;
  }
  return 'made';
}

/** Folders on the way to a file. */
export interface EnsuredFolders {
  /** Those that this call made, the highest first. */
  readonly made: readonly string[];
  /** Those with a new entry, which has to be flushed. */
  readonly changed: readonly string[];
}

/**
 * Makes the folders that are missing below an existing root, never through a symbolic link. The mode holds whatever the
 * umask, 0755 less the umask if not set. Throws `KEY_TAKEN` where something else stands in the way, `ENOENT` for a root that
 * is gone, and the system's other errors; then none of those that it made is left, unless others use it.
 */
export async function ensureFolders(root: string, segments: readonly string[], mode?: number): Promise<EnsuredFolders> {
  const made: string[] = [];
  const changed: string[] = [];
  let parent = root;
  try {
    for (const segment of segments) {
      const folder = path.join(parent, segment);
      const age = await makeFolder(folder, mode);
      if (age === 'made') made.push(folder);
      if (age !== 'old') changed.push(parent);
      parent = folder;
    }
  } catch (error) {
    await removeFolders(made);
    throw error;
  }
  return { made, changed };
}

/** Removes folders of which each comes after those above it, as far as they are empty. */
export async function removeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) await rmdir(folder).catch(() => undefined);
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
