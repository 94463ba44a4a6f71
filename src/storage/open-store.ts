import { randomUUID } from 'node:crypto';
import { access, constants, link, mkdir, mkdtemp, readdir, realpath, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, messageOf, systemErrorCode } from '../errors.js';
import { reservedFolder } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import { disk } from './disk/disk-calls.js';
import { describeDiskError, isDiskFull } from './disk/disk-errors.js';
import { DiskStore, type DiskStoreOptions } from './disk/disk-store.js';
import { findGroupObstacles } from './disk/probe-modes.js';
import type { S3StoreOptions } from './s3/open-s3-store.js';
import type { S3Bucket } from './s3/s3-bucket.js';
import type { S3Options } from './s3/s3-options.js';
import type { ServedStore, Store } from './store.js';

function unusable(expected: string, found: string, cause?: unknown): FilerError {
  return new FilerError('STORE_UNUSABLE', `storeDir: expected ${expected}, ${found}`, { cause });
}

/** Tries what each upload will need: a new file, and a hard link to it. */
async function requireHardLinks(folder: string): Promise<void> {
  const file = path.join(folder, `probe-${randomUUID()}`);
  const linked = `${file}-linked`;
  const fd = await disk.open(file, 'wx', 0o600);
  await disk.close(fd);
  try {
    await link(file, linked);
    await unlink(linked);
  } catch (error) {
    if (isDiskFull(error)) throw error;
    throw unusable('a filesystem with hard links', `linking a file in ${folder} failed: ${messageOf(error)}`, error);
  } finally {
    await unlink(file);
  }
}

/** What a disk without space, inodes or quota means. */
function fullDiskWarning(error: unknown): string {
  return `storeDir: ${describeDiskError(error).message}: uploads are 507 until you make room or delete some`;
}

/** Why storeDir cannot be used, by what a call there threw. */
async function describeUnusable(storeDir: string, error: unknown): Promise<FilerError> {
  if (error instanceof FilerError) return error;
  const isFile = await stat(storeDir).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );
  return unusable('a folder that this user may write to', isFile ? `${storeDir} is a file` : messageOf(error), error);
}

async function prepareFolder(storeDir: string, dirMode = 0o755): Promise<string> {
  try {
    await mkdir(storeDir, { recursive: true, mode: dirMode });
    return await realpath(storeDir);
  } catch (error) {
    throw await describeUnusable(storeDir, error);
  }
}

/**
 * Tries what uploads will need; resolves to a warning where only a full disk prevents it: what is stored can be served and
 * deleted all the same.
 */
async function tryFolder(storeDir: string, options: Pick<DiskStoreOptions, 'fileMode' | 'dirMode'>): Promise<string[]> {
  try {
    const reserved = path.join(storeDir, reservedFolder);
    // Not recursive, which turns ENOSPC into ENOENT.
    await mkdir(reserved, { mode: 0o700 }).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    });
    await requireHardLinks(reserved);
    return await findGroupObstacles(storeDir, options);
  } catch (error) {
    if (isDiskFull(error)) return [fullDiskWarning(error)];
    throw error;
  }
}

/** Where uploads lie, in a folder or in a bucket, how they are written, how long one may make no progress, and what uploaders are called in a bucket. */
export type OpenOptions = Omit<DiskStoreOptions, 'storeDir'> &
  Pick<S3StoreOptions, 'stallTimeoutMs' | 'isTried' | 'lifetimes'> &
  (
    | { readonly storeDir: string; readonly s3?: undefined; readonly uploaderIds?: UploaderIds }
    | { readonly storeDir?: undefined; readonly s3: S3Options; readonly uploaderIds: UploaderIds }
  );

/** A store, and what to tell the operator of it. */
interface OpenedStore {
  readonly store: ServedStore;
  readonly warnings: string[];
}

/**
 * Opens the configured store, making its folder where there is none, and removes what dead processes left in it.
 * Throws `STORE_UNUSABLE` with the key, what was found and what is expected.
 */
export async function openStore(options: OpenOptions): Promise<OpenedStore> {
  if (options.s3 !== undefined) {
    const { openS3Store } = await import('./s3/open-s3-store.js');
    return openS3Store(options);
  }
  const storeDir = await prepareFolder(options.storeDir, options.dirMode);
  const store = new DiskStore({ ...options, storeDir });
  try {
    await store.touchFolders();
    const leftOvers = await store.removeLeftOvers(2 * options.stallTimeoutMs);
    return { store, warnings: [...leftOvers, ...(await tryFolder(storeDir, options))] };
  } catch (error) {
    throw await describeUnusable(storeDir, error);
  }
}

/**
 * The configured store for looking at what is in it: makes, removes and tries nothing.
 * Throws `STORE_UNUSABLE` where there is none.
 */
export async function readStore(options: OpenOptions): Promise<Pick<Store, 'list'>> {
  if (options.s3 !== undefined) {
    const { makeS3Store } = await import('./s3/open-s3-store.js');
    return makeS3Store(options);
  }
  try {
    return new DiskStore({ ...options, storeDir: await realpath(options.storeDir) });
  } catch (error) {
    throw unusable('a folder with uploads', messageOf(error), error);
  }
}

/** Whether a folder exists. Throws where this user may not read it, enter it and write to it. */
async function requireAccess(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Tries what a start and each upload need, in a new folder in this one or in the nearest above it that exists. */
async function tryIn(folder: string): Promise<void> {
  if (!(await requireAccess(folder))) return tryIn(path.dirname(folder));
  const own = await mkdtemp(path.join(folder, 'prosody-filer-check-'));
  try {
    await requireHardLinks(own);
  } finally {
    await rmdir(own);
  }
}

/**
 * Whether `openStore` would open the store and uploads could be written; leaves nothing behind. Throws `STORE_UNUSABLE`
 * where it would not, and `STORE_FULL` where only the disk is full.
 */
export async function probeStore(storeDir: string): Promise<void> {
  try {
    const reserved = path.join(storeDir, reservedFolder);
    await requireAccess(storeDir);
    if (await requireAccess(reserved)) {
      const entries = await readdir(reserved, { withFileTypes: true });
      for (const entry of entries) if (entry.isDirectory()) await requireAccess(path.join(reserved, entry.name));
    }
    await tryIn(reserved);
  } catch (error) {
    if (isDiskFull(error)) throw new FilerError('STORE_FULL', fullDiskWarning(error), { cause: error });
    throw await describeUnusable(storeDir, error);
  }
}

/** Who signs uploads that clients send to the bucket by themselves; nothing is tried yet. */
export async function openUploadSigner(options: {
  readonly s3: S3Options;
  readonly stallTimeoutMs: number;
}): Promise<Pick<S3Bucket, 'signPut'>> {
  const { openBucket } = await import('./s3/open-s3-store.js');
  return openBucket(options);
}
