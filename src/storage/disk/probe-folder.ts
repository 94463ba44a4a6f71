/*
 * What storeDir must allow: this user may write to it and to the bookkeeping, and its filesystem has hard links. A full disk
 * is no reason not to start, since what is stored can be served and deleted all the same.
 */
import { randomUUID } from 'node:crypto';
import { access, constants, link, readdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, messageOf, systemErrorCode } from '../../errors.js';
import { reservedFolder } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { describeDiskError, isDiskFull } from './disk-errors.js';
import { inNewFolder } from './in-new-folder.js';

/** A `STORE_UNUSABLE` error about storeDir. */
export function unusable(expected: string, found: string, cause?: unknown): FilerError {
  return new FilerError('STORE_UNUSABLE', `storeDir: expected ${expected}, ${found}`, { cause });
}

/** Why storeDir cannot be used, from what a call there threw; a FilerError is passed on as it is. */
export async function describeUnusable(storeDir: string, error: unknown): Promise<FilerError> {
  if (error instanceof FilerError) return error;
  const isFile = await stat(storeDir).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );
  return unusable('a folder that this user may write to', isFile ? `${storeDir} is a file` : messageOf(error), error);
}

/** What a disk without space, inodes or quota means for uploads. */
export function fullDiskWarning(error: unknown): string {
  return `storeDir: ${describeDiskError(error).message}: uploads are 507 until you make room or delete some`;
}

/** Tries what each upload needs: a new file in this folder, and a hard link to it. Throws `STORE_UNUSABLE` without hard links. */
export async function requireHardLinks(folder: string): Promise<void> {
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

async function requireAccessToBookkeeping(reserved: string): Promise<void> {
  if (!(await requireAccess(reserved))) return;
  const entries = await readdir(reserved, { withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await requireAccess(path.join(reserved, entry.name));
}

/**
 * Tries whether the disk store could be opened and uploads could be written; leaves nothing behind. Throws `STORE_UNUSABLE`
 * where they could not, and `STORE_FULL` where only the disk is full.
 */
export async function probeFolder(storeDir: string): Promise<void> {
  try {
    const reserved = path.join(storeDir, reservedFolder);
    await requireAccess(storeDir);
    await requireAccessToBookkeeping(reserved);
    await inNewFolder(reserved, requireHardLinks);
  } catch (error) {
    if (isDiskFull(error)) throw new FilerError('STORE_FULL', fullDiskWarning(error), { cause: error });
    throw await describeUnusable(storeDir, error);
  }
}
