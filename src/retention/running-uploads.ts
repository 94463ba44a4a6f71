import type { PlannedUpload } from './limits.js';
import { countedBytes, Usage } from './usage.js';

/** So many bytes of an upload, at most, have arrived and are still to be written (storage/disk/receive-body.ts). */
export const heldBytes = 1024 * 1024;

/** A running upload; its uploader is named by an id. */
export interface RunningUpload extends PlannedUpload {
  /** The bytes that it may store now. If others are evicted for it, they become more as bytes arrive. */
  room: number;
  /** Whether the store has said that the key is free. */
  isKnownFree: boolean;
}

/** How many of these bytes, at most, are still to be written. The free space still includes them. */
function unwritten(bytes: number, upload: PlannedUpload): number {
  return Math.min(bytes, Math.max(0, bytes - upload.arrived()) + heldBytes);
}

/** The running uploads and their sums. */
export class RunningUploads {
  readonly #uploads = new Set<RunningUpload>();
  readonly #usage: Usage;
  #room = 0;
  #begun = 0;

  constructor(now: () => number) {
    this.#usage = new Usage(now);
  }

  /** Begins to count an upload. */
  add(upload: RunningUpload): void {
    this.#uploads.add(upload);
    this.#usage.addStored(upload);
    this.#room += upload.room;
    this.#begun += countedBytes(upload.size);
  }

  /** Stops counting an upload. */
  remove(upload: RunningUpload): void {
    if (!this.#uploads.delete(upload)) return;
    this.#usage.removeStored(upload);
    this.#room -= upload.room;
  }

  /** Whether an upload is still running. */
  has(upload: RunningUpload): boolean {
    return this.#uploads.has(upload);
  }

  /** Lets an upload store more bytes, if it is still running. */
  widen(upload: RunningUpload, bytes: number): void {
    if (!this.#uploads.has(upload)) return;
    upload.room += bytes;
    this.#room += bytes;
  }

  /** Bytes of all of them, once they are complete. */
  get planned(): number {
    return this.#usage.stored;
  }

  /** Bytes that all of them may store now. */
  get room(): number {
    return this.#room;
  }

  /** Bytes of all uploads that ever began. */
  get begun(): number {
    return this.#begun;
  }

  /** Bytes of an uploader's running uploads, once they are complete. */
  plannedBy(ids: readonly string[]): number {
    return this.#usage.storedBy(ids);
  }

  /** Bytes that are still to be written until all of them are complete. */
  unwritten(): number {
    let bytes = 0;
    for (const upload of this.#uploads) bytes += unwritten(countedBytes(upload.size), upload);
    return bytes;
  }

  /** Bytes that are still to be written of those that all of them may store now. */
  unwrittenRoom(): number {
    let bytes = 0;
    for (const upload of this.#uploads) bytes += unwritten(upload.room, upload);
    return bytes;
  }
}
