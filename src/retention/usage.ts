import { dayMs, hourMs } from '../units.js';
import type { UploadKey } from '../upload/upload-key.js';

const dayHours = dayMs / hourMs;
/** An empty file takes an inode, and a small one takes a block. */
const leastBytes = 4096;

/** An upload as it is counted. */
export interface CountedUpload {
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

/** A counted upload with its key. */
export type KeyedUpload = CountedUpload & { readonly key: UploadKey };

/** A file of this size counts as so many bytes for limits and quotas: at least 4 KiB. */
export function countedBytes(size: number): number {
  return Math.max(size, leastBytes);
}

function hourOf(time: number): number {
  return Math.floor(time / hourMs);
}

/**
 * Counts the stored bytes, in all and by uploader, and the bytes that each uploader sent in the last 24 hours, deleted or not.
 * Uploads name their uploader by an id here, never by a JID. Queries name all ids of an uploader (upload/uploader.ts).
 * Its memory grows with the number of uploaders, not of uploads: the last 24 hours are counted by the hour, and an uploader
 * without anything to count is dropped.
 */
export class Usage {
  readonly #now: () => number;
  #stored = 0;
  readonly #storedBy = new Map<string, number>();
  readonly #sentBy = new Map<string, Map<number, number>>();
  #prunedHour = 0;

  /** `now` is in ms since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts a stored upload, also for the 24 hours. */
  add(upload: CountedUpload): void {
    this.addStored(upload);
    this.addSent(upload);
  }

  /** Counts a stored upload, but not for the 24 hours. */
  addStored({ size, uploader }: Omit<CountedUpload, 'modifiedAt'>): void {
    this.#store(uploader, countedBytes(size));
  }

  /** Stops counting an upload as stored. For the 24 hours, it still counts. */
  removeStored({ size, uploader }: Omit<CountedUpload, 'modifiedAt'>): void {
    this.#store(uploader, -countedBytes(size));
  }

  /** Counts an upload for the 24 hours only: it was stored, broke off, or may come. */
  addSent({ size, uploader, modifiedAt }: CountedUpload): void {
    if (uploader === undefined) return;
    const thisHour = this.#prune();
    const hour = Math.min(hourOf(modifiedAt), thisHour);
    if (hour <= thisHour - dayHours) return;
    const hours = this.#sentBy.get(uploader) ?? new Map<number, number>();
    this.#sentBy.set(uploader, hours);
    hours.set(hour, (hours.get(hour) ?? 0) + countedBytes(size));
  }

  /** Takes back what `addSent` counted: the upload did not come. */
  removeSent({ size, uploader, modifiedAt }: CountedUpload): void {
    if (uploader === undefined) return;
    const hours = this.#sentBy.get(uploader);
    if (hours === undefined) return;
    const hour = hourOf(modifiedAt);
    const bytes = (hours.get(hour) ?? 0) - countedBytes(size);
    if (bytes > 0) hours.set(hour, bytes);
    else hours.delete(hour);
    if (hours.size === 0) this.#sentBy.delete(uploader);
  }

  /** Whether the uploader sent anything in the last 24 hours. */
  hasSent(ids: readonly string[]): boolean {
    this.#prune();
    return ids.some((id) => this.#sentBy.has(id));
  }

  /** Bytes stored in all. */
  get stored(): number {
    return this.#stored;
  }

  /** The uploaders with the most bytes stored, the largest first, at most so many. */
  largestUploaders(count: number): { readonly id: string; readonly bytes: number }[] {
    const all = [...this.#storedBy].map(([id, bytes]) => ({ id, bytes }));
    return all.sort((a, b) => b.bytes - a.bytes).slice(0, count);
  }

  /** Bytes stored for an uploader. */
  storedBy(ids: readonly string[]): number {
    return ids.reduce((sum, id) => sum + (this.#storedBy.get(id) ?? 0), 0);
  }

  /** What an uploader sent in the last 24 hours, each hour's as if it were one upload. */
  sentByHour(ids: readonly string[]): CountedUpload[] {
    this.#prune();
    return ids.flatMap((uploader) => {
      const hours = [...(this.#sentBy.get(uploader) ?? [])];
      return hours.map(([hour, size]) => ({ size, uploader, modifiedAt: hour * hourMs }));
    });
  }

  /** Bytes that an uploader sent in the last 24 hours, and when they become fewer (ms since the epoch). */
  sentBy(ids: readonly string[]): { bytes: number; lessAt: number } {
    const hours = this.sentByHour(ids);
    const oldest = Math.min(hourOf(this.#now()) * hourMs, ...hours.map(({ modifiedAt }) => modifiedAt));
    return { bytes: hours.reduce((sum, { size }) => sum + size, 0), lessAt: oldest + dayMs };
  }

  /** Drops what is a day old, once an hour; gives the current hour. */
  #prune(): number {
    const thisHour = hourOf(this.#now());
    if (thisHour === this.#prunedHour) return thisHour;
    this.#prunedHour = thisHour;
    for (const [id, hours] of this.#sentBy) {
      for (const hour of hours.keys()) if (hour <= thisHour - dayHours) hours.delete(hour);
      if (hours.size === 0) this.#sentBy.delete(id);
    }
    return thisHour;
  }

  #store(uploader: string | undefined, bytes: number): void {
    this.#stored += bytes;
    if (uploader === undefined) return;
    const stored = (this.#storedBy.get(uploader) ?? 0) + bytes;
    if (stored === 0) this.#storedBy.delete(uploader);
    else this.#storedBy.set(uploader, stored);
  }
}
