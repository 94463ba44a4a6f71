import { constants } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import { lacksCharset } from '../../upload/content-type.js';
import { typeByContent } from '../../upload/text-charset.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { ReportUnreadable, StoredFacts, StoredUpload } from '../store.js';
import type { BufferPool } from './buffer-pool.js';
import { closeRead, disk } from './disk-calls.js';
import { describingErrors } from './disk-errors.js';
import { type RecentFile, type RecentFiles, statsAt } from './recent-files.js';
import { readBeginning, sendFile } from './send-file.js';
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

/** Opens a file for reading; `undefined` if it does not exist. */
async function openFile(file: string): Promise<number | undefined> {
  try {
    return await disk.open(file, readFlags);
  } catch (error) {
    if (absent.has(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** What downloads from a disk share. */
export interface Downloads {
  readonly sidecars: SidecarFolder;
  readonly recentFiles: RecentFiles;
  readonly pool: BufferPool;
}

async function openRecent(
  file: string,
  key: UploadKey,
  { sidecars, recentFiles }: Downloads,
): Promise<RecentFile | undefined> {
  const fd = await openFile(file);
  if (fd === undefined) return undefined;
  try {
    const stats = statsAt(fd, file);
    if (stats === undefined) {
      closeRead(fd);
      return undefined;
    }
    const facts = await readFacts(key, stats, sidecars);
    if (!lacksCharset(facts.contentType)) return recentFiles.keep(file, fd, facts);
    // The charset of a text goes by its bytes: other programs may put files there too.
    const beginning = await readBeginning(fd, stats.size);
    const contentType = typeByContent(facts.contentType, beginning);
    return recentFiles.keep(file, fd, { ...facts, contentType }, beginning);
  } catch (error) {
    closeRead(fd);
    throw error;
  }
}

/** Opens the upload in a plain file at exactly this absolute path; `undefined` if it does not exist. */
export async function openUpload(
  file: string,
  key: UploadKey,
  downloads: Downloads,
): Promise<StoredUpload | undefined> {
  const { recentFiles, pool } = downloads;
  const opened = recentFiles.take(file) ?? (await openRecent(file, key, downloads));
  if (opened === undefined) return undefined;
  const { facts } = opened;
  const { size, modifiedAt } = facts;
  const close = () => recentFiles.giveBack(opened);
  return {
    ...facts,
    etag: `"${Math.floor(modifiedAt / 1000).toString(16)}-${size.toString(16)}"`,
    writeTo: (sink, range = { first: 0, last: size - 1 }) =>
      describingErrors(() => sendFile(opened, sink, range, pool)).finally(close),
    close,
  };
}
