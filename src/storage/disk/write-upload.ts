/*
 * An upload on its way to its place:
 *
 *   temporary file → sidecar and mtime → flush → folders → hard link to storeDir/<key> → flush the folders
 *
 * The temporary file stays open until it is published: where somebody removed the reserved folder meanwhile, its content is
 * still there and gets another name.
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

/** Where an upload goes, and how. */
export interface Destination {
  readonly storeDir: string;
  readonly isDurable: boolean;
  readonly fileMode?: number | undefined;
  readonly dirMode?: number | undefined;
  readonly sidecars: SidecarFolder;
  readonly temporary: TemporaryFolder;
  /** Throws where the key is taken. */
  requireFree(key: UploadKey): Promise<void>;
  /** Throws where an upload of the key was deleted. */
  requireUndeleted(key: UploadKey): Promise<void>;
}

/** Whether there is anything to keep of the upload that its path does not say. */
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

/** Gives a file the mtime (ms) that binds its sidecar to it, and flushes it. */
async function finish(fd: number, isDurable: boolean, sidecarMtimeMs: number | undefined): Promise<void> {
  if (sidecarMtimeMs !== undefined) await disk.futimes(fd, sidecarMtimeMs / 1000, sidecarMtimeMs / 1000);
  // fdatasync leaves out the mtime, which a sidecar is bound to.
  if (isDurable) await (sidecarMtimeMs === undefined ? disk.fdatasync(fd) : disk.fsync(fd));
}

async function finishAndPublish(
  destination: Destination,
  temporary: TemporaryFile,
  key: UploadKey,
  sidecarMtimeMs: number | undefined,
): Promise<void> {
  await finish(temporary.fd, destination.isDurable, sidecarMtimeMs);
  const confirm = async () => {
    // Some filesystems tell only now that the bytes did not fit.
    await temporary.close();
    await destination.requireUndeleted(key);
  };
  try {
    await publish({ ...destination, file: temporary.path, key, confirm });
  } catch (error) {
    const hasLostName =
      systemErrorCode(error) === 'ENOENT' && !temporary.isClosed && fstatSync(temporary.fd).nlink === 0;
    if (!hasLostName) throw error;
    const copy = await destination.temporary.copy(temporary.fd);
    try {
      await finishAndPublish(destination, copy, key, sidecarMtimeMs);
    } finally {
      await destination.temporary.remove(copy);
    }
  }
}

/** Receives an upload into a new temporary file and publishes it; if that throws, nothing is left of it. */
export async function writeUpload(
  destination: Destination,
  temporary: TemporaryFile,
  key: UploadKey,
  upload: IncomingUpload,
): Promise<void> {
  const { fd } = temporary;
  if (destination.fileMode !== undefined) await disk.fchmod(fd, destination.fileMode);
  await receiveBody(upload.openBody(), fd, upload.size);
  const sidecarMtimeMs = needsSidecar(key, upload) ? await writeSidecar(destination, key, upload) : undefined;
  try {
    await finishAndPublish(destination, temporary, key, sidecarMtimeMs);
  } catch (error) {
    if (sidecarMtimeMs !== undefined) await destination.sidecars.remove(key, upload.size, sidecarMtimeMs);
    throw error;
  }
}
