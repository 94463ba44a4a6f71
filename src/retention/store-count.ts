/*
 * The count of the store: what the last sweep found, plus what came and minus what went since. An upload that comes while a
 * sweep counts is counted once, whether the sweep sees it or not. An upload that is deleted meanwhile may stay counted until
 * the next sweep. Uploads name their uploader by an id here. Queries name all ids of an uploader.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { GivenSlots } from './given-slots.js';
import { type CountedUpload, type KeyedUpload, Usage } from './usage.js';

/** How long an upload may wait for the first count. Its client would wait longer. */
const maxWaitMs = 20_000;

/** So many deleted uploads are remembered. The same deletion is reported twice within seconds or never. */
const maxForgotten = 1000;

/** A running count. */
interface Counting {
  readonly stored: Usage;
  /** Uploads that came since the count began. */
  readonly came: Set<UploadKey>;
}

/** Counts the bytes in the store. */
export class StoreCount {
  readonly #now: () => number;
  #stored: Usage;
  readonly #given: GivenSlots;
  /** Uploads that broke off. They are in memory only, so a restart forgets them. */
  readonly #brokenOff: Usage;
  #counting: Counting | undefined;
  /** Uploads that a sweep found while an upload of the same key was running, which may be the same, and the count without them. */
  readonly #found = new Map<UploadKey, { readonly upload: KeyedUpload; readonly usage: Usage }>();
  /** The uploads that were deleted last. */
  readonly #forgotten = new Set<UploadKey>();
  #isCounted = false;
  readonly #firstCount: Promise<void>;
  #onFirstCount: () => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
    this.#stored = new Usage(now);
    this.#given = new GivenSlots(now);
    this.#brokenOff = new Usage(now);
    this.#firstCount = new Promise((resolve) => {
      this.#onFirstCount = resolve;
    });
  }

  /** Begins a new count. */
  begin(): void {
    this.#counting = { stored: new Usage(this.#now), came: new Set() };
    this.#given.begin();
  }

  /** Counts an upload that the sweep has found. If one of the same key is running, it does so when that one ends. */
  count(upload: KeyedUpload, isRunning: boolean): void {
    if (this.#counting === undefined || this.#counting.came.has(upload.key)) return;
    const { stored } = this.#counting;
    this.#given.found(upload.key);
    if (isRunning) this.#found.set(upload.key, { upload, usage: stored });
    else stored.add(upload);
  }

  /** Takes an upload off the new count: it was deleted after the sweep had found it. */
  uncount(upload: CountedUpload): void {
    this.#counting?.stored.removeStored(upload);
  }

  /** Counts a deleted upload for its uploader's dailyQuota. */
  countDeleted(upload: CountedUpload): void {
    this.#counting?.stored.addSent(upload);
  }

  /** Ends the new count: it replaces the one before. */
  end(): void {
    if (this.#counting === undefined) return;
    this.#stored = this.#counting.stored;
    this.#given.end();
    this.#counting = undefined;
    this.#isCounted = true;
    this.#onFirstCount();
  }

  /** Waits for the first count, 20 s at most (`STORE_BUSY`). */
  async requireFirst(): Promise<void> {
    if (this.#isCounted) return;
    await Promise.race([this.#firstCount, wait(maxWaitMs, undefined, { ref: false })]);
    if (!this.#isCounted)
      throw new FilerError('STORE_BUSY', 'the server has just started and is still counting the uploads in the store');
  }

  /** Counts an upload that was just stored. */
  add(upload: KeyedUpload): void {
    this.#found.delete(upload.key);
    this.#forgotten.delete(upload.key);
    this.#stored.add(upload);
    this.#counting?.stored.add(upload);
    this.#counting?.came.add(upload.key);
  }

  /** Counts a slot whose upload this program does not see; the result takes it back. */
  give(slot: KeyedUpload): () => void {
    return this.#given.give(slot);
  }

  /** Counts the sent bytes of an upload that was not stored, for its uploader's dailyQuota. */
  addBrokenOff(upload: KeyedUpload): void {
    if (upload.size > 0) this.#brokenOff.addSent(upload);
    const found = this.#found.get(upload.key);
    this.#found.delete(upload.key);
    found?.usage.add(found.upload);
  }

  /**
   * Stops counting a deleted upload, once: in a bucket, two requests that delete it at the same time both find it. Does nothing
   * the second time.
   */
  forget(upload: Omit<KeyedUpload, 'modifiedAt'>): void {
    if (this.#forgotten.has(upload.key)) return;
    this.#forgotten.add(upload.key);
    const [oldest] = this.#forgotten;
    if (this.#forgotten.size > maxForgotten && oldest !== undefined) this.#forgotten.delete(oldest);
    if (this.#given.forget(upload.key)) return;
    this.#found.delete(upload.key);
    this.#stored.removeStored(upload);
    if (this.#counting?.came.has(upload.key) === true) this.#counting.stored.removeStored(upload);
  }

  /** The uploaders with the most bytes stored, the largest first, at most so many; `undefined` before the first count. */
  largestUploaders(count: number): { readonly id: string; readonly bytes: number }[] | undefined {
    return this.#isCounted ? this.#stored.largestUploaders(count) : undefined;
  }

  /** Bytes stored, and bytes of the slots that `give` counts; `undefined` before the first count. */
  get used(): number | undefined {
    return this.#isCounted ? this.stored + this.given : undefined;
  }

  /** Bytes stored. */
  get stored(): number {
    return this.#stored.stored;
  }

  /** Bytes of the slots that `give` counts. */
  get given(): number {
    return this.#given.stored;
  }

  /** Bytes stored for an uploader, and bytes of the uploader's slots that `give` counts. */
  storedBy(ids: readonly string[]): number {
    return this.#stored.storedBy(ids) + this.#given.storedBy(ids);
  }

  /** Bytes that an uploader sent in the last 24 hours, and when they become fewer (ms since the epoch). */
  sentBy(ids: readonly string[]): { readonly bytes: number; readonly lessAt: number } {
    const sent = [this.#stored, this.#given, this.#brokenOff].map((usage) => usage.sentBy(ids));
    return {
      bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0),
      lessAt: Math.min(...sent.map(({ lessAt }) => lessAt)),
    };
  }

  /** An uploader's stored uploads of the last 24 hours, each hour's as if they were one upload. */
  sentByHour(ids: readonly string[]): CountedUpload[] {
    return this.#stored.sentByHour(ids);
  }
}
