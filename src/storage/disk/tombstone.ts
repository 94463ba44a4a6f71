/*
 * A deleted upload leaves a tombstone, so that a PUT whose token has no expiry cannot use its slot again:
 *
 *   storeDir/.prosody-filer/tombstones/<first 2 hex>/<64 hex>      {"version":1,"key":…,"size":…,"uploader":…,…}
 *
 * The name is the SHA-256 of the key; the file's mtime is the time of the deletion. The file is empty, and takes no block of
 * the disk, unless the uploader is known and the upload was less than a day old: then it counts for dailyQuota.
 */
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dayMs } from '../../units.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { DeletedUpload, ReportUnreadable, TombstonePhase } from '../store.js';
import { findStats } from './disk-calls.js';
import { isDiskFull } from './disk-errors.js';
import type { Flusher } from './flusher.js';
import { ensureFolders } from './folders.js';
import { isGone, passOver } from './pass-over.js';
import { formatNote, isSize, isTime, NoteError, readNote } from './read-note.js';
import { filesBelow } from './reserved-files.js';

const folder = 'tombstones';
const maxPending = 1000;

/** `undefined` for an empty one, and if it is gone. Throws a `NoteError` for one that `#leave` would not have written. */
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
  /** Its absolute path. */
  readonly folder: string;
  readonly #storeDir: string;
  readonly #phaseOf: (ageMs: number) => TombstonePhase;
  readonly #warn: (message: string) => void;
  /** Uploads that this process has deleted while the disk had no room for their tombstones. */
  readonly #pending = new Map<UploadKey, DeletedUpload>();

  constructor(storeDir: string, phaseOf: (ageMs: number) => TombstonePhase, warn: (message: string) => void) {
    this.#storeDir = storeDir;
    this.folder = path.join(storeDir, reservedFolder, folder);
    this.#phaseOf = phaseOf;
    this.#warn = warn;
  }

  /** Whether deletions leave tombstones. */
  get #areLeft(): boolean {
    return this.#phaseOf(0) === 'blocks';
  }

  /** Whether a tombstone that was written then (ms since the epoch) blocks its slot. */
  #isBlocking(writtenAt: number): boolean {
    return this.#phaseOf(Date.now() - writtenAt) === 'blocks';
  }

  #segmentsOf(key: UploadKey): string[] {
    const name = createHash('sha256').update(key).digest('hex');
    return [reservedFolder, folder, name.slice(0, 2), name];
  }

  /**
   * Leaves the tombstone of an upload and then calls `remove`, which resolves to whether the upload was there: so its slot is
   * free at no time, and not after a power failure either if there is a flusher. On a full disk it removes the upload first,
   * which makes room for the tombstone. If there is still no room, only this process blocks the slot, and tries again at each
   * deletion and at each sweep.
   */
  async bury(upload: DeletedUpload, remove: () => Promise<boolean>, flusher?: Flusher): Promise<boolean> {
    if (!this.#areLeft || (await this.#leaveIfFits(upload, flusher))) return remove();
    const [oldest] = this.#pending.keys();
    if (this.#pending.size === maxPending && oldest !== undefined) this.#pending.delete(oldest);
    this.#pending.set(upload.key, upload);
    const isRemoved = await remove().catch((error: unknown) => {
      this.#pending.delete(upload.key);
      throw error;
    });
    if (!isRemoved) this.#pending.delete(upload.key);
    await this.#leavePending(flusher);
    // A tombstone without text blocks the slot all the same.
    if (this.#pending.has(upload.key) && !(await this.#isLeft(upload.key))) {
      const found = `${upload.key} was deleted, but the disk is too full to note that (replayWindow)`;
      this.#warn(`${found}: until there is room, its PUT URL can be used again, unless its token has expired`);
    }
    return isRemoved;
  }

  async #leavePending(flusher?: Flusher): Promise<void> {
    for (const [key, upload] of this.#pending) {
      // The upload is deleted, so an error here is no failure of the deletion.
      if (!(await this.#leaveIfFits(upload, flusher).catch(() => false))) return;
      this.#pending.delete(key);
    }
  }

  /** False if the disk had no room. */
  async #leaveIfFits(upload: DeletedUpload, flusher: Flusher | undefined): Promise<boolean> {
    try {
      await this.#leave(upload, flusher);
      return true;
    } catch (error) {
      if (isDiskFull(error)) return false;
      throw error;
    }
  }

  async #leave(upload: DeletedUpload, flusher: Flusher | undefined): Promise<void> {
    const segments = this.#segmentsOf(upload.key);
    const file = path.join(this.#storeDir, ...segments);
    const { changed } = await ensureFolders(this.#storeDir, segments.slice(0, -1), 0o700);
    const isOfToday = upload.uploader !== undefined && Date.now() - upload.modifiedAt < dayMs;
    const text = isOfToday ? formatNote(upload) : '';
    await writeFile(file, text, { mode: 0o600 });
    await flusher?.flush([file, path.dirname(file), ...changed]);
  }

  /**
   * Leaves the tombstones that the disk had no room for, removes those that no longer block their slots, and gives the deleted
   * uploads that still count for dailyQuota. Reports tombstones that cannot be read; they block their slots all the same.
   */
  async *tidy(report: ReportUnreadable): AsyncGenerator<DeletedUpload> {
    await this.#leavePending();
    for await (const { file, mtimeMs } of filesBelow(this.#storeDir, folder, report)) {
      const upload = await this.#tidyOne(file, mtimeMs).catch((error: unknown) => passOver(file, error, report));
      if (upload !== undefined) yield upload;
    }
  }

  async #tidyOne(file: string, mtimeMs: number): Promise<DeletedUpload | undefined> {
    if (this.#isBlocking(mtimeMs)) return readTombstone(file);
    await rm(file, { force: true });
    return undefined;
  }

  /** Whether an upload of this key was deleted and its slot is blocked. */
  async holds(key: UploadKey): Promise<boolean> {
    if (!this.#areLeft) return false;
    return this.#pending.has(key) || this.#isLeft(key);
  }

  async #isLeft(key: UploadKey): Promise<boolean> {
    try {
      const stats = await findStats(path.join(this.#storeDir, ...this.#segmentsOf(key)));
      return stats !== undefined && this.#isBlocking(stats.mtimeMs);
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }
}
