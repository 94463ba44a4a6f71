/*
 * The count of the store: what the last sweep found, and what came and went since. An upload that comes while a sweep counts
 * is counted once, whether the sweep sees it or not. One that is deleted meanwhile may stay counted until the next sweep.
 * Uploads name their uploader by id here, and questions name all ids of one uploader.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { type CountedUpload, Usage } from './usage.js';

/** How long an upload may wait for the first count: less than its client does. */
const maxWaitMs = 20_000;

/** A count that is going on. */
interface Counting {
  readonly stored: Usage;
  readonly given: Usage;
  /** What came since it began. */
  readonly came: Set<UploadKey>;
}

/** An upload that is counted by its key. */
export type KeyedUpload = CountedUpload & { readonly key: UploadKey };

/** Counts what is stored. */
export class StoreCount {
  readonly #now: () => number;
  #stored: Usage;
  #given: Usage;
  /** In memory only: a restart forgets what broke off. */
  readonly #brokenOff: Usage;
  #counting: Counting | undefined;
  /** What a sweep found while an upload of the same key was running, and the count that lacks it: it may be that very upload. */
  readonly #found = new Map<UploadKey, { readonly upload: KeyedUpload; readonly usage: Usage }>();
  #isCounted = false;
  readonly #firstCount: Promise<void>;
  #onFirstCount: () => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
    this.#stored = new Usage(now);
    this.#given = new Usage(now);
    this.#brokenOff = new Usage(now);
    this.#firstCount = new Promise((resolve) => {
      this.#onFirstCount = resolve;
    });
  }

  /** Begins to count anew. */
  begin(): void {
    this.#counting = { stored: new Usage(this.#now), given: new Usage(this.#now), came: new Set() };
  }

  /** Counts an upload that the sweep has found; where one of its key is running, when that one ends. */
  count(upload: KeyedUpload, isRunning: boolean): void {
    if (this.#counting === undefined || this.#counting.came.has(upload.key)) return;
    const { stored } = this.#counting;
    if (isRunning) this.#found.set(upload.key, { upload, usage: stored });
    else stored.add(upload);
  }

  /** Takes back what the sweep has found and is gone since. */
  uncount(upload: CountedUpload): void {
    this.#counting?.stored.removeStored(upload);
  }

  /** Counts an upload that is gone, for what its uploader sent on its day. */
  countDeleted(upload: CountedUpload): void {
    this.#counting?.stored.addSent(upload);
  }

  /** The new count replaces the one before. */
  end(): void {
    if (this.#counting === undefined) return;
    this.#stored = this.#counting.stored;
    this.#given = this.#counting.given;
    this.#counting = undefined;
    this.#isCounted = true;
    this.#onFirstCount();
  }

  /** Waits for the first count, 20 s at most (`STORE_BUSY`). */
  async requireFirst(): Promise<void> {
    if (this.#isCounted) return;
    await Promise.race([this.#firstCount, wait(maxWaitMs, undefined, { ref: false })]);
    if (!this.#isCounted)
      throw new FilerError('STORE_BUSY', 'the uploads in the store are still being counted after the start');
  }

  /** Counts an upload that was just stored. */
  add(upload: KeyedUpload): void {
    this.#found.delete(upload.key);
    this.#stored.add(upload);
    this.#counting?.stored.add(upload);
    this.#counting?.came.add(upload.key);
  }

  /** Counts a slot whose upload nobody sees, until the next sweep has counted; the result takes it back. */
  give(slot: CountedUpload): () => void {
    const usages = [this.#given, ...(this.#counting === undefined ? [] : [this.#counting.given])];
    for (const usage of usages) usage.add(slot);
    return () => {
      for (const usage of usages) {
        usage.removeStored(slot);
        usage.removeSent(slot);
      }
    };
  }

  /** Counts what was sent of an upload that was not stored, for its uploader's day. */
  addBrokenOff(upload: KeyedUpload): void {
    if (upload.size > 0) this.#brokenOff.addSent(upload);
    const found = this.#found.get(upload.key);
    this.#found.delete(upload.key);
    found?.usage.add(found.upload);
  }

  /** Stops counting an upload that was deleted. */
  forget(upload: Omit<KeyedUpload, 'modifiedAt'>): void {
    this.#found.delete(upload.key);
    this.#stored.removeStored(upload);
    if (this.#counting?.came.has(upload.key) === true) this.#counting.stored.removeStored(upload);
  }

  /** Bytes stored. */
  get stored(): number {
    return this.#stored.stored;
  }

  /** Bytes for which slots were given since the last sweep, stored or not. */
  get given(): number {
    return this.#given.stored;
  }

  /** Bytes stored for an uploader, and given. */
  storedBy(ids: readonly string[]): number {
    return this.#stored.storedBy(ids) + this.#given.storedBy(ids);
  }

  /** What an uploader sent in the last 24 hours, and when some of it is a day old (ms since the epoch). */
  sentBy(ids: readonly string[]): { readonly bytes: number; readonly lessAt: number } {
    const sent = [this.#stored, this.#given, this.#brokenOff].map((usage) => usage.sentBy(ids));
    return {
      bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0),
      lessAt: Math.min(...sent.map(({ lessAt }) => lessAt)),
    };
  }

  /** What an uploader's uploads of the last 24 hours were, by the hour. */
  sentByHour(ids: readonly string[]): CountedUpload[] {
    return this.#stored.sentByHour(ids);
  }
}
