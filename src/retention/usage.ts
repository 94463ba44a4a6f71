import { dayMs, hourMs } from '../units.js';

const dayHours = dayMs / hourMs;
/** An empty file takes an inode, and a small one a block. */
const leastBytes = 4096;

/** What of an upload is counted. */
export interface CountedUpload {
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

/** The bytes that a file of this size counts as towards limits and quotas: at least 4 KiB. */
export function countedBytes(size: number): number {
  return Math.max(size, leastBytes);
}

function hourOf(time: number): number {
  return Math.floor(time / hourMs);
}

/**
 * How much is stored in all and by uploader, and how much each uploader sent in the last 24 hours, deleted or not. Uploads
 * name their uploader by id here, never by JID, and questions name all ids of one uploader (uploader.ts).
 * The memory that it takes grows with the uploaders, not with the uploads: the last 24 hours are counted by the hour, older
 * ones not at all, and uploaders of whom nothing is left are dropped.
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

  /** Counts an upload that is stored, for its day too. */
  add(upload: CountedUpload): void {
    this.addStored(upload);
    this.addSent(upload);
  }

  /** Counts an upload as stored, not for its day. */
  addStored({ size, uploader }: Omit<CountedUpload, 'modifiedAt'>): void {
    this.#store(uploader, countedBytes(size));
  }

  /** Stops counting an upload as stored; its day goes on. */
  removeStored({ size, uploader }: Omit<CountedUpload, 'modifiedAt'>): void {
    this.#store(uploader, -countedBytes(size));
  }

  /** Counts an upload for its day only: one that was stored, broke off, or may come. */
  addSent({ size, uploader, modifiedAt }: CountedUpload): void {
    if (uploader === undefined) return;
    const thisHour = this.#prune();
    const hour = Math.min(hourOf(modifiedAt), thisHour);
    if (hour <= thisHour - dayHours) return;
    const hours = this.#sentBy.get(uploader) ?? new Map<number, number>();
    this.#sentBy.set(uploader, hours);
    hours.set(hour, (hours.get(hour) ?? 0) + countedBytes(size));
  }

  /** Stops counting for its day what was counted by `addSent` and did not come. */
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

  /** Whether anything is counted for the uploader's day. */
  hasSent(ids: readonly string[]): boolean {
    this.#prune();
    return ids.some((id) => this.#sentBy.has(id));
  }

  /** Bytes stored in all. */
  get stored(): number {
    return this.#stored;
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

  /** Bytes that an uploader sent in the last 24 hours, and when some of them are a day old (ms since the epoch). */
  sentBy(ids: readonly string[]): { bytes: number; lessAt: number } {
    const hours = this.sentByHour(ids);
    const oldest = Math.min(hourOf(this.#now()) * hourMs, ...hours.map(({ modifiedAt }) => modifiedAt));
    return { bytes: hours.reduce((sum, { size }) => sum + size, 0), lessAt: oldest + dayMs };
  }

  /** Drops what is a day old, once an hour; gives the hour that it is. */
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
