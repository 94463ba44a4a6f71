/*
 * Publishing on a filesystem without hard links (exFAT, FAT, some of FUSE and of Docker Desktop). A rename replaces what it
 * finds, so whoever renames a file to a key holds the key's claim meanwhile:
 *
 *   storeDir/.prosody-filer/claims/<first 2 hex>/<64 hex>      an empty file, made exclusively; the name is the key's SHA-256
 *
 * So no two uploads replace each other, whatever process or host they come from. A file that another program makes at the
 * same path between the look and the rename would be replaced. A crash between the two leaves a claim, which blocks the slot
 * for a minute.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, systemErrorCode } from '../../errors.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { ReportUnreadable } from '../store.js';
import { disk, findStats } from './disk-calls.js';
import { ensureFolders } from './folders.js';
import { passOver } from './pass-over.js';
import { filesBelow } from './reserved-files.js';

const folder = 'claims';
/** The holder makes two calls in this time. */
const staleMs = 60_000;
/** What exFAT, FAT and NTFS refuse in a name. */
const refusedCharacter = /[\p{Cc}"*:<>?\\|]/u;
const withoutLinks = new Set(['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL']);

/** Whether `link` failed because the filesystem has no hard links. */
export function lacksHardLinks(error: unknown): boolean {
  return withoutLinks.has(systemErrorCode(error) ?? '');
}

async function createClaim(claim: string): Promise<void> {
  try {
    await disk.close(await disk.open(claim, 'wx', 0o600));
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    const stats = await findStats(claim);
    if (stats !== undefined && Date.now() - stats.mtimeMs < staleMs) {
      throw new FilerError('KEY_TAKEN', 'another upload of this slot is being published');
    }
    await rm(claim, { force: true });
    await disk.close(await disk.open(claim, 'wx', 0o600));
  }
}

/** `KEY_INVALID` if the file is there, so that the filesystem seems to refuse a name in the key; else the error itself. */
async function explainRefusal(error: unknown, file: string, key: UploadKey): Promise<unknown> {
  const isRefusal = ['ENOENT', 'EINVAL'].includes(systemErrorCode(error) ?? '') && refusedCharacter.test(key);
  if (!isRefusal || (await findStats(file)) === undefined) return error;
  return new FilerError('KEY_INVALID', 'the filesystem of storeDir does not allow this name', { cause: error });
}

/** Renames a complete file to the path of its key, unless something is there. Throws `KEY_TAKEN`, `KEY_INVALID` or the system's error. */
export async function renameExclusively(file: string, storeDir: string, key: UploadKey): Promise<void> {
  const target = path.join(storeDir, key);
  const name = createHash('sha256').update(key).digest('hex');
  const segments = [reservedFolder, folder, name.slice(0, 2)];
  await ensureFolders(storeDir, segments, 0o700);
  const claim = path.join(storeDir, ...segments, name);
  await createClaim(claim);
  try {
    if ((await findStats(target)) !== undefined) throw new FilerError('KEY_TAKEN', 'the upload exists');
    await disk.rename(file, target);
  } catch (error) {
    throw await explainRefusal(error, file, key);
  } finally {
    await rm(claim, { force: true });
  }
}

/** Removes the claims that crashes have left. */
export async function removeStaleClaims(storeDir: string, report: ReportUnreadable): Promise<void> {
  for await (const { file, mtimeMs } of filesBelow(storeDir, folder, report)) {
    if (Date.now() - mtimeMs > staleMs) await rm(file, { force: true }).catch((error) => passOver(file, error, report));
  }
}
