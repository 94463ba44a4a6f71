import { chmod, lstat, mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, systemErrorCode } from '../../errors.js';
import { findStats } from './disk-calls.js';

const defaultMode = 0o755;
const youngMs = 60_000;

/**
 * Gives a new folder its mode, whatever the umask. It keeps a setgid bit that the folder has inherited: by that, everything in
 * it gets the parent's group. systemd's RestrictSUIDSGID= allows a folder to inherit the bit, but refuses a chmod with it.
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

/**
 * Whether a folder is old enough for its entry to be flushed, by whoever has made it or by the kernel, which waits 30 s;
 * `undefined` if it does not exist.
 */
async function findFolder(folder: string): Promise<'young' | 'old' | undefined> {
  const stats = await findStats(folder);
  if (stats === undefined) return undefined;
  // Some filesystems know no time of birth (0). Then the last change counts, which is never before it.
  if (stats.isDirectory()) return Date.now() - (stats.birthtimeMs || stats.ctimeMs) < youngMs ? 'young' : 'old';
  throw new FilerError('KEY_TAKEN', `a file is where this path needs a folder (${folder})`);
}

/** Makes a folder unless it exists. */
async function makeFolder(folder: string, mode: number | undefined): Promise<'made' | 'young' | 'old'> {
  try {
    await mkdir(folder, { mode: mode ?? defaultMode });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    // It may have been removed in between.
    return (await findFolder(folder)) ?? makeFolder(folder, mode);
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
  /** The folders that this call made, the highest first. */
  readonly made: readonly string[];
  /** The folders that got a new entry, which has to be flushed. */
  readonly changed: readonly string[];
}

/**
 * Makes the missing folders below an existing root, never through a symbolic link. They get this mode whatever the umask, or
 * 0755 less the umask. Throws `KEY_TAKEN` where a file or a link is in the way, and the system's errors, such as `ENOENT` if
 * the root is gone. Then it leaves none of the folders that it made, unless others use them.
 */
export async function ensureFolders(root: string, segments: readonly string[], mode?: number): Promise<EnsuredFolders> {
  const made: string[] = [];
  const changed: string[] = [];
  let parent = root;
  try {
    for (const [index, segment] of segments.entries()) {
      const folder = path.join(parent, segment);
      // The last folder usually is a new slot's, and those above it usually exist.
      const isLast = index === segments.length - 1;
      const age = (isLast ? undefined : await findFolder(folder)) ?? (await makeFolder(folder, mode));
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

/** Removes those of the folders that are empty; each must come after the folders above it. */
export async function removeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders.toReversed()) await rmdir(folder).catch(() => undefined);
}

/** Removes the folder of a deleted upload, and those above it up to the root, as far as they are empty. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  if (folder === root) return;
  try {
    await rmdir(folder);
  } catch (error) {
    // Other uploads are in it. A folder that is already gone may still have an empty one above it.
    if (systemErrorCode(error) !== 'ENOENT') return;
  }
  await removeEmptyFolders(root, path.dirname(folder));
}
