/*
 * An upload that was deleted leaves a tombstone, so that a PUT whose token has no expiry cannot fill its slot again:
 *
 *   storeDir/.prosody-filer/tombstones/<first 2 hex>/<64 hex>      {"version":1,"key":…,"size":…,"uploader":…,…}
 *
 * The name is the SHA-256 of the key; the file's mtime is when the upload was deleted. It counts for the replay window.
 * The file is empty, and takes no block of the disk, unless the uploader is known and the upload was less than a day old.
 */
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { reservedFolder, type UploadKey } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders } from './folders.js';
import { isGone, passOver, type ReportUnreadable } from './pass-over.js';
import { formatNote, isSize, isTime, NoteError, readNote } from './read-note.js';
import { filesBelow } from './reserved-files.js';
import type { DeletedUpload } from './store.js';

const folder = 'tombstones';
const dayMs = 24 * 60 * 60 * 1000;

/** `undefined` for one that is empty or is gone; throws for one that is not as `leave` writes it. */
async function readTombstone(file: string): Promise<DeletedUpload | undefined> {
  const note = await readNote(file);
  if (note === undefined) return undefined;
  const { key, uploader } = note;
  const { size, modifiedAt } = note;
  if (!isSize(size)) throw new NoteError('its size is not a number of bytes');
  if (!isTime(modifiedAt)) throw new NoteError('its modifiedAt is not a time');
  return { key, size, uploader, modifiedAt };
}

/** The tombstones of one store, below its reserved folder. */
export class TombstoneFolder {
  readonly #storeDir: string;
  readonly #replayWindowMs: number;

  /** A window of 0 ms: none are left. */
  constructor(storeDir: string, replayWindowMs: number) {
    this.#storeDir = storeDir;
    this.#replayWindowMs = replayWindowMs;
  }

  #segmentsOf(key: UploadKey): string[] {
    const name = createHash('sha256').update(key).digest('hex');
    return [reservedFolder, folder, name.slice(0, 2), name];
  }

  /** Leaves the tombstone of an upload that is about to be deleted. */
  async leave(upload: DeletedUpload): Promise<void> {
    if (this.#replayWindowMs === 0) return;
    const segments = this.#segmentsOf(upload.key);
    await ensureFolders(this.#storeDir, segments.slice(0, -1), 0o700);
    const isOfToday = upload.uploader !== undefined && Date.now() - upload.modifiedAt < dayMs;
    const text = isOfToday ? formatNote(upload) : '';
    await writeFile(path.join(this.#storeDir, ...segments), text, { mode: 0o600 });
  }

  /**
   * Removes the tombstones that no longer count, and gives the uploads whose uploader sent them in the last 24 hours.
   * Reports those that cannot be read; they count all the same.
   */
  async *tidy(report: ReportUnreadable): AsyncGenerator<DeletedUpload> {
    for await (const { file, mtimeMs } of filesBelow(this.#storeDir, folder, report)) {
      const upload = await this.#tidyOne(file, mtimeMs).catch((error: unknown) => passOver(file, error, report));
      if (upload !== undefined) yield upload;
    }
  }

  async #tidyOne(file: string, mtimeMs: number): Promise<DeletedUpload | undefined> {
    if (Date.now() - mtimeMs < this.#replayWindowMs) return readTombstone(file);
    await rm(file, { force: true });
    return undefined;
  }

  /** Whether an upload of this key was deleted within the replay window. */
  async holds(key: UploadKey): Promise<boolean> {
    if (this.#replayWindowMs === 0) return false;
    try {
      const { mtimeMs } = await disk.lstat(path.join(this.#storeDir, ...this.#segmentsOf(key)));
      return Date.now() - mtimeMs < this.#replayWindowMs;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }
}
