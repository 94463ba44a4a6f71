/*
 * What storeDir must allow: this user may write to it and to the bookkeeping, and rename files there. A full disk is no
 * reason not to start, since what is stored can be served and deleted all the same.
 */
import { randomUUID } from 'node:crypto';
import { access, constants, readdir, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, messageOf, systemErrorCode } from '../../errors.js';
import { reservedFolder } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { describeDiskError, isDiskFull } from './disk-errors.js';
import { inNewFolder } from './in-new-folder.js';
import { lacksHardLinks } from './rename-exclusively.js';

/** A `STORE_UNUSABLE` error about storeDir. */
export function unusable(expected: string, found: string, cause?: unknown): FilerError {
  return new FilerError('STORE_UNUSABLE', `storeDir: expected ${expected}, ${found}`, { cause });
}

/** The disk fails, or a network filesystem has lost its server. That is no mistake of the operator, and may pass. */
const failures = new Set(['EIO', 'EHOSTDOWN', 'ENOTCONN', 'ESTALE', 'ETIMEDOUT']);

/**
 * Why storeDir cannot be used, from what a call there threw: `STORE_FAILED` if it may work later, else `STORE_UNUSABLE`. A
 * FilerError is passed on as it is.
 */
export async function describeUnusable(storeDir: string, error: unknown): Promise<FilerError> {
  if (error instanceof FilerError) return error;
  const code = systemErrorCode(error) ?? '';
  if (failures.has(code)) return new FilerError('STORE_FAILED', `storeDir: ${messageOf(error)}`, { cause: error });
  const isFile = await stat(storeDir).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );
  const advice =
    code === 'EROFS' ? '. If systemd runs prosody-filer, set ReadWritePaths= to this folder in the unit' : '';
  const found = isFile ? `${storeDir} is a file` : messageOf(error) + advice;
  return unusable('a folder that this user may write to', found, error);
}

/** What a disk without space, inodes or quota means for uploads. */
export function fullDiskWarning(error: unknown): string {
  return `storeDir: ${describeDiskError(error).message}: uploads are 507 until you make room or delete some`;
}

/** Whether a file can have this name in the folder. */
async function allowsName(file: string): Promise<boolean> {
  try {
    await disk.close(await disk.open(file, 'wx', 0o600));
    await unlink(file);
    return true;
  } catch (error) {
    if (isDiskFull(error)) throw error;
    return false;
  }
}

/** Which promise does not hold without hard links, and what the filesystem refuses. */
async function describeMissingLinks(file: string, reason: unknown): Promise<string> {
  const found = `storeDir: its filesystem has no hard links (${systemErrorCode(reason)}), so prosody-filer renames uploads`;
  const risk =
    'They never replace each other, but one replaces a file that another program makes at its path in that moment';
  const names = ': uploads whose names have any of " * : < > ? \\ | are refused with 400';
  const refusal = (await allowsName(`${file}:`)) ? '' : `. The filesystem also refuses some names${names}`;
  return `${found}. ${risk}. Let no other program write there${refusal}`;
}

/**
 * Tries what each upload needs: a new file in this folder, and a hard link to it or else a rename. Resolves to a warning if
 * there are no hard links.
 */
export async function probePublishing(folder: string): Promise<string[]> {
  const file = path.join(folder, `probe-${randomUUID()}`);
  const published = `${file}-published`;
  await disk.close(await disk.open(file, 'wx', 0o600));
  try {
    await disk.link(file, published);
    return [];
  } catch (error) {
    if (!lacksHardLinks(error)) throw error;
    await disk.rename(file, published);
    return [await describeMissingLinks(file, error)];
  } finally {
    for (const name of [file, published]) await rm(name, { force: true });
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
 * Tries whether the disk store could be opened and uploads could be written; leaves nothing behind. Resolves to warnings.
 * Throws `STORE_UNUSABLE` where they could not, and `STORE_FULL` where only the disk is full.
 */
export async function probeFolder(storeDir: string): Promise<string[]> {
  try {
    const reserved = path.join(storeDir, reservedFolder);
    await requireAccess(storeDir);
    await requireAccessToBookkeeping(reserved);
    return await inNewFolder(reserved, probePublishing);
  } catch (error) {
    if (isDiskFull(error)) throw new FilerError('STORE_FULL', fullDiskWarning(error), { cause: error });
    throw await describeUnusable(storeDir, error);
  }
}
