/*
 * An upload on its way to its place, in four phases:
 *
 *   fill      body → temporary file
 *   seal      sidecar, mtime and flush of the temporary file
 *   publish   missing folders → hard link to storeDir/<key> → flush of the folders
 *   confirm   the file closes without an error, and no tombstone has come meanwhile
 *
 * The upload is visible from the link on. Where a phase fails, nothing is left of those before. The temporary file stays
 * open until it is confirmed: if somebody removes the reserved folder meanwhile, its content goes into a new one.
 */
import { fstatSync } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import { factsOfKey } from '../../upload/facts-of-key.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { IncomingUpload } from '../store.js';
import { disk } from './disk-calls.js';
import { publish } from './publish.js';
import { receiveBody } from './receive-body.js';
import type { SidecarFolder } from './sidecar.js';
import type { TemporaryFile, TemporaryFolder } from './temporary-folder.js';

/** Where an upload is written to, and how. */
export interface Destination {
  readonly storeDir: string;
  readonly isDurable: boolean;
  readonly fileMode?: number | undefined;
  readonly dirMode?: number | undefined;
  readonly sidecars: SidecarFolder;
  readonly temporary: TemporaryFolder;
  /** Throws `KEY_TAKEN` where an upload has the key, or its tombstone blocks it. */
  readonly requireFree: (key: UploadKey) => Promise<void>;
  /** Throws `KEY_TAKEN` where a tombstone blocks the key. */
  readonly requireUndeleted: (key: UploadKey) => Promise<void>;
}

/** Whether the upload has facts that its path does not tell. */
export function needsSidecar(key: UploadKey, { contentType, expiresAt, uploader }: IncomingUpload): boolean {
  const known = factsOfKey(key);
  return contentType !== known.contentType || expiresAt !== undefined || uploader !== known.uploader;
}

/** Writes a sidecar; resolves to the mtime (ms) that binds it to the file. */
async function writeSidecar(destination: Destination, key: UploadKey, upload: IncomingUpload): Promise<number> {
  const { size, contentType, expiresAt, uploader } = upload;
  const facts = { contentType, expiresAt, uploader };
  const nowSeconds = Math.floor(Date.now() / 1000);
  const requireFree = () => destination.requireFree(key);
  return 1000 * (await destination.sidecars.write(key, size, nowSeconds, facts, requireFree));
}

/** Writes the body to the temporary file. */
async function fill({ fd }: TemporaryFile, { fileMode }: Destination, upload: IncomingUpload): Promise<void> {
  if (fileMode !== undefined) await disk.fchmod(fd, fileMode);
  await receiveBody(upload.openBody(), fd, upload.size);
}

/** Gives a file the mtime (ms) that binds its sidecar to it, and flushes it. */
async function seal({ fd }: TemporaryFile, { isDurable }: Destination, sidecarMtimeMs?: number): Promise<void> {
  if (sidecarMtimeMs !== undefined) await disk.futimes(fd, sidecarMtimeMs / 1000, sidecarMtimeMs / 1000);
  // fdatasync does not flush the mtime, which binds the sidecar to the file.
  if (isDurable) await (sidecarMtimeMs === undefined ? disk.fdatasync(fd) : disk.fsync(fd));
}

/** Throws where the upload must not stay. */
async function confirm(file: TemporaryFile, { requireUndeleted }: Destination, key: UploadKey): Promise<void> {
  // Some filesystems say only now that the bytes did not fit.
  await file.close();
  await requireUndeleted(key);
}

/** Whether somebody has removed the name of the file that was to be published. */
function hasLostName(file: TemporaryFile, error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT' && !file.isClosed && fstatSync(file.fd).nlink === 0;
}

async function sealAndPublish(
  file: TemporaryFile,
  destination: Destination,
  key: UploadKey,
  sidecarMtimeMs?: number,
): Promise<void> {
  await seal(file, destination, sidecarMtimeMs);
  try {
    await publish({ ...destination, file: file.path, key, confirm: () => confirm(file, destination, key) });
  } catch (error) {
    if (!hasLostName(file, error)) throw error;
    const copy = await destination.temporary.copy(file.fd);
    try {
      await sealAndPublish(copy, destination, key, sidecarMtimeMs);
    } finally {
      await destination.temporary.remove(copy);
    }
  }
}

/** Receives an upload into a new temporary file and publishes it; if that throws, nothing is left of it. */
export async function writeUpload(
  destination: Destination,
  file: TemporaryFile,
  key: UploadKey,
  upload: IncomingUpload,
): Promise<void> {
  await fill(file, destination, upload);
  const sidecarMtimeMs = needsSidecar(key, upload) ? await writeSidecar(destination, key, upload) : undefined;
  try {
    await sealAndPublish(file, destination, key, sidecarMtimeMs);
  } catch (error) {
    if (sidecarMtimeMs !== undefined) await destination.sidecars.remove(key, upload.size, sidecarMtimeMs);
    throw error;
  }
}
