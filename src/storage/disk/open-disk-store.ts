import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, systemErrorCode } from '../../errors.js';
import { reservedFolder } from '../../upload/upload-key.js';
import { isDiskFull } from './disk-errors.js';
import { DiskStore, type DiskStoreOptions } from './disk-store.js';
import { describeUnusable, fullDiskWarning, probePublishing, unusable } from './probe-folder.js';
import { findGroupObstacles } from './probe-modes.js';

/** How the disk store is opened; its folder need not exist, and may be a symbolic link. */
export interface OpenDiskOptions extends DiskStoreOptions {
  /** How long an upload may make no progress, ms. */
  readonly stallTimeoutMs: number;
}

/** Makes a folder unless it exists. */
async function makeFolder(folder: string, mode: number): Promise<void> {
  await mkdir(folder, { mode }).catch((error: unknown) => {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  });
}

/** Makes a folder and those above it. The `recursive` of Node.js turns EROFS and ENOSPC into ENOENT. */
async function makeFolders(folder: string, mode: number): Promise<void> {
  try {
    await makeFolder(folder, mode);
  } catch (error) {
    const parent = path.dirname(folder);
    if (systemErrorCode(error) !== 'ENOENT' || parent === folder) throw error;
    await makeFolders(parent, mode);
    await makeFolder(folder, mode);
  }
}

async function prepareFolder({ storeDir, dirMode = 0o755 }: OpenDiskOptions): Promise<string> {
  try {
    await makeFolders(storeDir, dirMode);
    return await realpath(storeDir);
  } catch (error) {
    throw await describeUnusable(storeDir, error);
  }
}

/** Tries what uploads will need; resolves to warnings. */
async function tryFolder(options: DiskStoreOptions): Promise<string[]> {
  try {
    const reserved = path.join(options.storeDir, reservedFolder);
    await makeFolder(reserved, 0o700);
    return [...(await probePublishing(reserved)), ...(await findGroupObstacles(options.storeDir, options))];
  } catch (error) {
    if (isDiskFull(error)) return [fullDiskWarning(error)];
    throw error;
  }
}

/**
 * Opens the store in a folder, makes that folder if it is missing, and removes what dead processes left in it. Resolves to the
 * store and warnings for the operator, a line each. Throws `STORE_UNUSABLE` with what was found and what is expected.
 */
export async function openDiskStore(options: OpenDiskOptions): Promise<{ store: DiskStore; warnings: string[] }> {
  const storeDir = await prepareFolder(options);
  const store = new DiskStore({ ...options, storeDir });
  try {
    await store.touchFolders();
    const leftOvers = await store.removeLeftOvers(2 * options.stallTimeoutMs);
    return { store, warnings: [...leftOvers, ...(await tryFolder({ ...options, storeDir }))] };
  } catch (error) {
    throw await describeUnusable(storeDir, error);
  }
}

/** The store in an existing folder, nothing tried or changed. Throws `STORE_UNUSABLE` where there is no such folder. */
export async function readDiskStore(options: DiskStoreOptions): Promise<DiskStore> {
  try {
    return new DiskStore({ ...options, storeDir: await realpath(options.storeDir) });
  } catch (error) {
    throw unusable('a folder with uploads', messageOf(error), error);
  }
}
