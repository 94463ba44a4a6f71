/*
 * An upload on its way to its place, in four phases:
 *
 *   fill      body → temporary file
 *   seal      sidecar, mtime and flush of the temporary file
 *   publish   missing folders → hard link to storeDir/<key> (or see rename-exclusively.ts) → flush of the folders
 *   confirm   the file closes without an error, and no tombstone has come meanwhile
 *
 * The upload is visible from the link on. Where a phase fails, nothing is left of those before. The temporary file stays
 * open until it is confirmed: if somebody removes the reserved folder meanwhile, its content goes into a new one.
 */
import { fstatSync } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { IncomingUpload } from '../store.js';
import { disk } from './disk-calls.js';
import { type Flusher, settleAll } from './flusher.js';
import { publish } from './publish.js';
import { receiveBody } from './receive-body.js';
import type { SidecarFolder, WrittenSidecar } from './sidecar.js';
import type { TemporaryFile, TemporaryFolder } from './temporary-folder.js';

/** Where an upload is written to, and how. */
export interface Destination {
  readonly storeDir: string;
  /** Set if an upload must survive a power failure. */
  readonly flusher: Flusher | undefined;
  readonly fileMode?: number | undefined;
  readonly dirMode?: number | undefined;
  readonly sidecars: SidecarFolder;
  readonly temporary: TemporaryFolder;
  /** Throws `KEY_TAKEN` where an upload has the key, or its tombstone blocks it. */
  readonly requireFree: (key: UploadKey) => Promise<void>;
  /** Throws `KEY_TAKEN` where a tombstone blocks the key. */
  readonly requireUndeleted: (key: UploadKey) => Promise<void>;
}

function writeSidecar(destination: Destination, key: UploadKey, upload: IncomingUpload): Promise<WrittenSidecar> {
  const { size, contentType, expiresAt, uploader, purpose } = upload;
  const facts = { contentType, expiresAt, uploader, purpose };
  const nowSeconds = Math.floor(Date.now() / 1000);
  const requireFree = () => destination.requireFree(key);
  return destination.sidecars.write(key, size, nowSeconds, facts, requireFree);
}

/** Writes the body to the temporary file. */
async function fill({ fd }: TemporaryFile, { fileMode }: Destination, upload: IncomingUpload): Promise<void> {
  if (fileMode !== undefined) await disk.fchmod(fd, fileMode);
  await receiveBody(upload.openBody(), fd, upload.size);
}

/** Gives a file the mtime that binds its sidecar to it, and flushes both. */
async function seal({ fd }: TemporaryFile, { flusher }: Destination, sidecar?: WrittenSidecar): Promise<void> {
  if (sidecar !== undefined) await disk.futimes(fd, sidecar.mtimeSeconds, sidecar.mtimeSeconds);
  if (flusher === undefined) return;
  // fdatasync does not flush the mtime.
  if (sidecar === undefined) await disk.fdatasync(fd);
  else await settleAll([disk.fsync(fd), flusher.flush(sidecar.changedPaths)]);
}

/** Throws where the upload must not stay. */
async function confirm(file: TemporaryFile, { requireUndeleted }: Destination, key: UploadKey): Promise<void> {
  // Some filesystems say only when the file is closed that the bytes did not fit.
  await settleAll([file.close(), requireUndeleted(key)]);
}

/** Whether somebody has removed the name of the file that was to be published. */
function hasLostName(file: TemporaryFile, error: unknown): boolean {
  return systemErrorCode(error) === 'ENOENT' && !file.isClosed && fstatSync(file.fd).nlink === 0;
}

async function sealAndPublish(
  file: TemporaryFile,
  destination: Destination,
  key: UploadKey,
  sidecar?: WrittenSidecar,
): Promise<void> {
  await seal(file, destination, sidecar);
  try {
    await publish({ ...destination, file: file.path, key, confirm: () => confirm(file, destination, key) });
  } catch (error) {
    if (!hasLostName(file, error)) throw error;
    const copy = await destination.temporary.copy(file.fd);
    try {
      await sealAndPublish(copy, destination, key, sidecar);
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
  const isNeeded = destination.sidecars.areNeeded(key, upload);
  const sidecar = isNeeded ? await writeSidecar(destination, key, upload) : undefined;
  try {
    await sealAndPublish(file, destination, key, sidecar);
  } catch (error) {
    if (sidecar !== undefined) await destination.sidecars.remove(key, upload.size, 1000 * sidecar.mtimeSeconds);
    throw error;
  }
}
