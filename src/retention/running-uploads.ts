import type { PlannedUpload } from './limits.js';
import { countedBytes, Usage } from './usage.js';

/** The most bytes of an upload that have arrived and still wait in memory (storage/receive-body.ts). */
export const heldBytes = 1024 * 1024;

/** An upload that is running; its uploader is named by an id. */
export interface RunningUpload extends PlannedUpload {
  /** The bytes that it may store by now. One that is evicting gets them bit by bit, any other has all from the start. */
  room: number;
  /** Whether the store was asked and has nothing of its key. */
  isKnownFree: boolean;
}

/** How many of these bytes are still to be written, at most: the free space does not lack them yet. */
function unwritten(bytes: number, upload: PlannedUpload): number {
  return Math.min(bytes, Math.max(0, bytes - upload.arrived()) + heldBytes);
}

/** The uploads that are running, and what they take together. */
export class RunningUploads {
  readonly #uploads = new Set<RunningUpload>();
  readonly #usage: Usage;
  #room = 0;
  #begun = 0;

  constructor(now: () => number) {
    this.#usage = new Usage(now);
  }

  /** Counts an upload from now on. */
  add(upload: RunningUpload): void {
    this.#uploads.add(upload);
    this.#usage.addStored(upload);
    this.#room += upload.room;
    this.#begun += countedBytes(upload.size);
  }

  /** Counts it no longer. */
  remove(upload: RunningUpload): void {
    if (!this.#uploads.delete(upload)) return;
    this.#usage.removeStored(upload);
    this.#room -= upload.room;
  }

  /** Whether an upload has not ended. */
  has(upload: RunningUpload): boolean {
    return this.#uploads.has(upload);
  }

  /** Lets an upload store more bytes, if it has not ended. */
  widen(upload: RunningUpload, bytes: number): void {
    if (!this.#uploads.has(upload)) return;
    upload.room += bytes;
    this.#room += bytes;
  }

  /** Bytes of all of them when they are complete. */
  get planned(): number {
    return this.#usage.stored;
  }

  /** Bytes that all of them may store by now. */
  get room(): number {
    return this.#room;
  }

  /** Bytes of all that ever began. */
  get begun(): number {
    return this.#begun;
  }

  /** Bytes of an uploader's when they are complete. */
  plannedBy(ids: readonly string[]): number {
    return this.#usage.storedBy(ids);
  }

  /** Bytes that will still be written until all of them are complete. */
  unwritten(): number {
    let bytes = 0;
    for (const upload of this.#uploads) bytes += unwritten(countedBytes(upload.size), upload);
    return bytes;
  }

  /** Bytes that may still be written of what all of them may store by now. */
  unwrittenRoom(): number {
    let bytes = 0;
    for (const upload of this.#uploads) bytes += unwritten(upload.room, upload);
    return bytes;
  }
}
