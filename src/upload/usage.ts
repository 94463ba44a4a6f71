const hourMs = 60 * 60 * 1000;
const dayHours = 24;

/** What of an upload is counted. */
export interface CountedUpload {
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

function hourOf(time: number): number {
  return Math.floor(time / hourMs);
}

/**
 * How much is stored in all and by uploader, and how much each uploader sent in the last 24 hours, deleted or not. Uploads
 * name their uploader by id here, never by JID, and questions name all ids of one uploader (uploader.ts).
 * The memory that it takes grows with the uploaders, not with the uploads: a day is counted by the hour.
 */
export class Usage {
  #stored = 0;
  readonly #storedBy = new Map<string, number>();
  readonly #sentBy = new Map<string, Map<number, number>>();

  /** Counts an upload that is stored. */
  add(upload: CountedUpload): void {
    this.#store(upload, upload.size);
    this.addSent(upload);
  }

  /** Counts an upload for its day only: one that was stored, or that may come. */
  addSent({ size, uploader, modifiedAt }: CountedUpload): void {
    if (uploader === undefined) return;
    const hours = this.#sentBy.get(uploader) ?? new Map<number, number>();
    this.#sentBy.set(uploader, hours);
    const hour = hourOf(modifiedAt);
    hours.set(hour, (hours.get(hour) ?? 0) + size);
  }

  /** Stops counting for its day what was counted by `addSent` and did not come. */
  removeSent({ size, uploader, modifiedAt }: CountedUpload): void {
    if (uploader === undefined) return;
    const hours = this.#sentBy.get(uploader);
    const hour = hourOf(modifiedAt);
    const bytes = (hours?.get(hour) ?? 0) - size;
    if (bytes > 0) hours?.set(hour, bytes);
    else hours?.delete(hour);
  }

  /** Whether anything is counted for the uploader's day, however little. */
  hasSent(ids: readonly string[]): boolean {
    return ids.some((id) => this.#sentBy.has(id));
  }

  /** Forgets the uploaders who sent nothing in the 24 hours before `now` (ms since the epoch). */
  forgetSent(now: number): void {
    for (const id of this.#sentBy.keys()) {
      if (this.sentByHour([id], now).length === 0) this.#sentBy.delete(id);
    }
  }

  /** Stops counting an upload as stored; its day goes on. */
  remove(upload: CountedUpload): void {
    this.#store(upload, -upload.size);
  }

  /** Bytes stored in all. */
  get stored(): number {
    return this.#stored;
  }

  /** Bytes stored for an uploader. */
  storedBy(ids: readonly string[]): number {
    return ids.reduce((sum, id) => sum + (this.#storedBy.get(id) ?? 0), 0);
  }

  /** What an uploader sent in the 24 hours before `now` (ms since the epoch), each hour's as if it were one upload. */
  sentByHour(ids: readonly string[], now: number): CountedUpload[] {
    return ids.flatMap((uploader) => {
      const hours = this.#sentBy.get(uploader) ?? new Map<number, number>();
      for (const hour of hours.keys()) if (hour <= hourOf(now) - dayHours) hours.delete(hour);
      return [...hours].map(([hour, size]) => ({ size, uploader, modifiedAt: hour * hourMs }));
    });
  }

  /** Bytes that an uploader sent in the 24 hours before `now` (ms since the epoch), and when some of them are a day old. */
  sentBy(ids: readonly string[], now: number): { bytes: number; lessAt: number } {
    const hours = this.sentByHour(ids, now);
    const oldest = Math.min(hourOf(now) * hourMs, ...hours.map(({ modifiedAt }) => modifiedAt));
    return { bytes: hours.reduce((sum, { size }) => sum + size, 0), lessAt: oldest + dayHours * hourMs };
  }

  #store({ uploader }: CountedUpload, bytes: number): void {
    this.#stored += bytes;
    if (uploader === undefined) return;
    const stored = (this.#storedBy.get(uploader) ?? 0) + bytes;
    if (stored === 0) this.#storedBy.delete(uploader);
    else this.#storedBy.set(uploader, stored);
  }
}
