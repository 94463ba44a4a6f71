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
import { dayMs } from '../../units.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { DeletedUpload, ReportUnreadable, TombstonePhase } from '../store.js';
import { disk } from './disk-calls.js';
import { isDiskFull } from './disk-errors.js';
import { ensureFolders } from './folders.js';
import { isGone, passOver } from './pass-over.js';
import { formatNote, isSize, isTime, NoteError, readNote } from './read-note.js';
import { filesBelow } from './reserved-files.js';

const folder = 'tombstones';
const maxPending = 1000;

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
  /** Where they lie. */
  readonly folder: string;
  readonly #storeDir: string;
  readonly #phaseOf: (ageMs: number) => TombstonePhase;
  readonly #warn: (message: string) => void;
  /** What this process has removed and the disk had no room to note. */
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
   * Removes an upload by the call, which resolves to whether it was there, and leaves its tombstone: before, so that at no
   * time its slot is free. Where the disk is full, after: then the removal has made room for it. If it has not, the slot is
   * taken in this process alone, which tries again at each removal and at each sweep.
   */
  async bury(upload: DeletedUpload, remove: () => Promise<boolean>): Promise<boolean> {
    if (!this.#areLeft || (await this.#leaveIfFits(upload))) return remove();
    const [oldest] = this.#pending.keys();
    if (this.#pending.size === maxPending && oldest !== undefined) this.#pending.delete(oldest);
    this.#pending.set(upload.key, upload);
    const isRemoved = await remove().catch((error: unknown) => {
      this.#pending.delete(upload.key);
      throw error;
    });
    if (!isRemoved) this.#pending.delete(upload.key);
    await this.#leavePending();
    // Without its text a tombstone blocks the slot all the same.
    if (this.#pending.has(upload.key) && !(await this.#isLeft(upload.key))) {
      const found = `${upload.key} was deleted, but the disk is too full to note that`;
      this.#warn(`${found}: until it is noted, its PUT URL can be used again unless its token expires (replayWindow)`);
    }
    return isRemoved;
  }

  async #leavePending(): Promise<void> {
    for (const [key, upload] of this.#pending) {
      // The upload is gone, so an error here does not make the removal a failure.
      if (!(await this.#leaveIfFits(upload).catch(() => false))) return;
      this.#pending.delete(key);
    }
  }

  /** Whether there was room. */
  async #leaveIfFits(upload: DeletedUpload): Promise<boolean> {
    try {
      await this.#leave(upload);
      return true;
    } catch (error) {
      if (isDiskFull(error)) return false;
      throw error;
    }
  }

  async #leave(upload: DeletedUpload): Promise<void> {
    const segments = this.#segmentsOf(upload.key);
    await ensureFolders(this.#storeDir, segments.slice(0, -1), 0o700);
    const isOfToday = upload.uploader !== undefined && Date.now() - upload.modifiedAt < dayMs;
    const text = isOfToday ? formatNote(upload) : '';
    await writeFile(path.join(this.#storeDir, ...segments), text, { mode: 0o600 });
  }

  /**
   * Leaves those for which there was no room, removes the tombstones that no longer count, and gives the uploads of known
   * uploaders from the last 24 hours. Reports those that cannot be read; they block their slots all the same.
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

  /** Whether an upload of this key was deleted within the replay window. */
  async holds(key: UploadKey): Promise<boolean> {
    if (!this.#areLeft) return false;
    return this.#pending.has(key) || this.#isLeft(key);
  }

  async #isLeft(key: UploadKey): Promise<boolean> {
    try {
      const { mtimeMs } = await disk.lstat(path.join(this.#storeDir, ...this.#segmentsOf(key)));
      return this.#isBlocking(mtimeMs);
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }
}
