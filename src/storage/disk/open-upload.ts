import { constants, fstatSync, readlinkSync } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import { lacksCharset } from '../../upload/content-type.js';
import { charsetBytes, typeByContent } from '../../upload/text-charset.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { ReportUnreadable, StoredFacts, StoredUpload } from '../store.js';
import type { BufferPool } from './buffer-pool.js';
import { closeRead, disk } from './disk-calls.js';
import { describeDiskError } from './disk-errors.js';
import { sendFile } from './send-file.js';
import type { SidecarFolder } from './sidecar.js';

const absent = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ENXIO']);
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The facts of an upload by its path, file and sidecar. With `report`, it reports a sidecar that cannot be read. */
export async function readFacts(
  key: UploadKey,
  { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
  sidecars: SidecarFolder,
  report?: ReportUnreadable,
): Promise<StoredFacts> {
  const facts = (await sidecars.read(key, size, mtimeMs, report)) ?? sidecars.factsWithout(key);
  return { ...facts, size, modifiedAt: mtimeMs };
}

/** Opens a plain file at exactly this path; `undefined` if it does not exist. */
async function openPlainFile(file: string) {
  let fd: number;
  try {
    fd = await disk.open(file, readFlags);
  } catch (error) {
    if (absent.has(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    // If a folder on the way was a symbolic link, the descriptor has another path.
    if (stats.isFile() && readlinkSync(`/proc/self/fd/${fd}`) === file) return { fd, stats };
    closeRead(fd);
    return undefined;
  } catch (error) {
    closeRead(fd);
    throw error;
  }
}

/** The facts, with a charset that goes by the bytes of a text: other programs may put files there too. */
async function withCharsetOf(fd: number, facts: StoredFacts): Promise<StoredFacts> {
  const buffer = Buffer.allocUnsafe(Math.min(facts.size, charsetBytes));
  const { bytesRead } = await disk.read(fd, buffer, 0, buffer.length, 0);
  return { ...facts, contentType: typeByContent(facts.contentType, buffer.subarray(0, bytesRead)) };
}

/** Opens the upload in a file (an absolute path without symbolic links); `undefined` if it does not exist. */
export async function openUpload(
  file: string,
  key: UploadKey,
  sidecars: SidecarFolder,
  pool: BufferPool,
): Promise<StoredUpload | undefined> {
  const opened = await openPlainFile(file);
  if (opened === undefined) return undefined;
  const { fd, stats } = opened;
  const { size, mtimeMs } = stats;
  let facts: StoredFacts;
  try {
    facts = await readFacts(key, stats, sidecars);
    if (lacksCharset(facts.contentType)) facts = await withCharsetOf(fd, facts);
  } catch (error) {
    closeRead(fd);
    throw error;
  }
  return {
    ...facts,
    etag: `"${Math.floor(mtimeMs / 1000).toString(16)}-${size.toString(16)}"`,
    writeTo: async (sink, range = { first: 0, last: size - 1 }) => {
      try {
        await sendFile(fd, sink, range, pool);
      } catch (error) {
        throw describeDiskError(error);
      } finally {
        closeRead(fd);
      }
    },
    close: () => closeRead(fd),
  };
}
