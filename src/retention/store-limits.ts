/*
 * What may be stored, in all and by uploader. Uploads that are running count with all their bytes, so that parallel ones
 * cannot overshoot. What is stored is counted by each sweep, and between sweeps as uploads come and go; what comes during
 * a sweep, which may or may not see it, counts twice until the next one: too much rather than too little.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { FilerError } from '../errors.js';
import type { LimitSettings, Limits, PlannedUpload, Settle } from '../upload/limits.js';
import type { UploaderIds } from '../upload/uploader.js';
import { type CountedUpload, Usage } from '../upload/usage.js';
import { KnownUploaders } from './known-uploaders.js';

/** How long an upload may wait for the first count: less than its client does. */
const maxWaitMs = 20_000;

/** What the limits need beside counting. */
export interface LimitsContext {
  /** Bytes that are free on the filesystem. */
  freeBytes(): Promise<number>;
  /** Removes the oldest uploads that may go, until so many bytes are freed or none is left that may. */
  evict(bytes: number): Promise<void>;
  readonly uploaderIds: UploaderIds;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Keeps what is stored within its limits. */
export class StoreLimits implements Limits {
  readonly #settings: LimitSettings;
  readonly #context: LimitsContext;
  readonly #uploaders: KnownUploaders;
  readonly #running = new Usage();
  #stored = new Usage();
  #counting = new Usage();
  #isCounted = false;
  readonly #firstCount: Promise<void>;
  #onFirstCount: () => void = () => {};
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: LimitSettings, context: LimitsContext) {
    this.#settings = settings;
    this.#context = context;
    this.#uploaders = new KnownUploaders(context.uploaderIds);
    this.#firstCount = new Promise((resolve) => {
      this.#onFirstCount = resolve;
    });
  }

  /** Whether there is a limit for each uploader. */
  get isByUploader(): boolean {
    return (this.#settings.userQuota ?? this.#settings.dailyQuota) !== undefined;
  }

  /** Begins to count anew what is stored. */
  beginCount(): void {
    this.#counting = new Usage();
  }

  /** Counts an upload that the sweep has found; its uploader is named by a JID or an id. */
  count(upload: CountedUpload): void {
    this.#counting.add(this.#identified(upload));
  }

  /** Counts an upload that is gone, for what its uploader sent on its day. */
  countDeleted(upload: CountedUpload): void {
    this.#counting.addSent(this.#identified(upload));
  }

  /** From now on what was counted is what is stored. */
  endCount(): void {
    this.#stored = this.#counting;
    this.#isCounted = true;
    this.#onFirstCount();
  }

  /** Stops counting an upload that was deleted since it was counted. */
  forget(upload: CountedUpload): void {
    this.#stored.remove(this.#identified(upload));
  }

  /** Waits for the first count, 20 s at most (`STORE_BUSY`), and for the reservations before it. Throws as `Limits` says. */
  async reserve(upload: PlannedUpload): Promise<Settle> {
    const { maxStoreSize, userQuota, dailyQuota } = this.#settings;
    if ((maxStoreSize ?? userQuota ?? dailyQuota) !== undefined) await this.#requireCount();
    const reservation = this.#turn.then(() => this.#admit(upload));
    this.#turn = reservation.catch(() => undefined);
    return reservation;
  }

  /** What an uploader sent in the last 24 hours, by the hour; waits for the first count, 20 s at most (`STORE_BUSY`). */
  async sentByHour(uploader: string): Promise<CountedUpload[]> {
    await this.#requireCount();
    return this.#stored.sentByHour(this.#uploaders.idsOf(uploader), this.#context.now());
  }

  /** The upload with its uploader's id in place of a JID. */
  #identified({ size, uploader, modifiedAt }: CountedUpload): CountedUpload {
    const id = uploader === undefined ? undefined : this.#context.uploaderIds.idOf(uploader);
    return { size, uploader: id, modifiedAt };
  }

  async #admit({ size, uploader }: PlannedUpload): Promise<Settle> {
    if (uploader !== undefined) this.#requireQuota(size, uploader);
    await this.#requireRoom(size);
    const running = this.#identified({ size, uploader, modifiedAt: this.#context.now() });
    this.#running.add(running);
    return (isStored) => {
      this.#running.remove(running);
      if (!isStored) return;
      const upload = { ...running, modifiedAt: this.#context.now() };
      this.#stored.add(upload);
      if (this.#counting !== this.#stored) this.#counting.add(upload);
    };
  }

  async #requireCount(): Promise<void> {
    if (this.#isCounted) return;
    await Promise.race([this.#firstCount, wait(maxWaitMs, undefined, { ref: false })]);
    if (!this.#isCounted) throw new FilerError('STORE_BUSY', 'what is stored is still being counted after the start');
  }

  #requireQuota(size: number, uploader: string): void {
    const { userQuota, dailyQuota } = this.#settings;
    const ids = this.#uploaders.idsOf(uploader);
    const running = this.#running.storedBy(ids);
    const stored = this.#stored.storedBy(ids) + running;
    if (userQuota !== undefined && stored + size > userQuota) {
      const found = `${stored} bytes are stored for ${uploader}, ${size} more would exceed userQuota, ${userQuota}`;
      throw new FilerError('QUOTA_REACHED', found);
    }
    const sent = this.#stored.sentBy(ids, this.#context.now());
    if (dailyQuota !== undefined && sent.bytes + running + size > dailyQuota) {
      const found = `${uploader} sent ${sent.bytes + running} bytes in 24 hours, ${size} more would exceed dailyQuota, ${dailyQuota}`;
      const retryAt = size > dailyQuota ? undefined : sent.lessAt;
      throw new FilerError('QUOTA_REACHED', found, { retryAt });
    }
  }

  /** Makes room by eviction if that is wanted. */
  async #requireRoom(size: number): Promise<void> {
    const { maxStoreSize = Number.POSITIVE_INFINITY, evictsWhenFull } = this.#settings;
    if (evictsWhenFull && size <= maxStoreSize) {
      const missing = await this.#missingBytes(size);
      if (missing > 0) await this.#context.evict(missing);
    }
    const missing = await this.#missingBytes(size);
    if (missing <= 0) return;
    const tooFew = evictsWhenFull ? ', also with all gone that may go by evictMinAge' : '';
    throw new FilerError(
      'STORE_FULL',
      `${size} bytes are ${missing} more than maxStoreSize and minFreeSpace leave room for${tooFew}`,
    );
  }

  /** How many bytes must go before so many more have room; what is running counts as if none of it were written. */
  async #missingBytes(size: number): Promise<number> {
    const { maxStoreSize = Number.POSITIVE_INFINITY, minFreeSpace } = this.#settings;
    const planned = this.#running.stored + size;
    const overSize = this.#stored.stored + planned - maxStoreSize;
    if (minFreeSpace === 0) return overSize;
    return Math.max(overSize, planned + minFreeSpace - (await this.#context.freeBytes()));
  }
}
