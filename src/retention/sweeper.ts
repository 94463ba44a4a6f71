/*
 * A sweep goes through all uploads one by one, deletes those that have expired, and counts the others. Its memory is bounded
 * however many uploads there are: beside the counts, it keeps only the oldest uploads, for eviction.
 */
import { messageOf } from '../errors.js';
import type { ListedUpload, Store, Tidying } from '../storage/store.js';
import { deletionLine } from './deletion-line.js';
import { Evictor } from './evictor.js';
import { isExpired, type Retention } from './expiry.js';
import type { StoreLimits } from './store-limits.js';
import { UnreadableEntries } from './unreadable-entries.js';

/** What a sweeper works with. */
export interface SweeperContext {
  readonly store: Store & Tidying;
  readonly retention: Retention;
  readonly limits: StoreLimits;
  /** The least age of an upload that may be evicted, ms. */
  readonly evictMinAgeMs: number;
  readonly logger: { info(line: object, message: string): void; warn(line: object, message: string): void };
  /** ms since the epoch. */
  readonly now: () => number;
}

/** The result of a sweep. */
export interface SweepSummary {
  files: number;
  bytes: number;
  deletedFiles: number;
  deletedBytes: number;
  /** Entries that it passed over because they cannot be read. */
  unreadable: number;
}

/** A complete sweep. */
export interface FinishedSweep extends Readonly<SweepSummary> {
  /** ms since the epoch. */
  readonly endedAt: number;
  readonly durationMs: number;
}

/** Deletes expired uploads, has the others counted, and gathers the oldest ones. */
export class Sweeper {
  readonly evictor: Evictor;
  readonly #context: SweeperContext;
  readonly #unreadable: UnreadableEntries;
  #sweeping: Promise<SweepSummary> | undefined;
  #last: FinishedSweep | undefined;
  #isStopping = false;
  #isTidying = false;

  constructor(context: SweeperContext) {
    this.#context = context;
    this.evictor = new Evictor({ ...context, sweep: (after) => this.#join(after) });
    this.#unreadable = new UnreadableEntries(context.logger);
  }

  /** Entries that the last complete sweep passed over because they cannot be read. */
  get unreadable(): number {
    return this.#unreadable.count;
  }

  /** The last complete sweep. */
  get last(): FinishedSweep | undefined {
    return this.#last;
  }

  /** Sweeps once, or waits for the sweep that is running, and evicts what exceeds the limits then. */
  async sweep(): Promise<SweepSummary> {
    const summary = await this.#join(undefined);
    await this.#context.limits.evictExcess(() => !this.#isStopping);
    return summary;
  }

  /** Ends a running sweep after its current upload. Does not wait for a sweep that has reached its tidying. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (!this.#isTidying) await this.#sweeping?.catch(() => undefined);
  }

  #join(after: ListedUpload | undefined): Promise<SweepSummary> {
    this.#sweeping ??= this.#sweep(after).finally(() => {
      this.#sweeping = undefined;
      this.#isTidying = false;
    });
    return this.#sweeping;
  }

  async #sweep(after: ListedUpload | undefined): Promise<SweepSummary> {
    const { store, retention, limits, logger, now } = this.#context;
    const startedAt = now();
    const summary = { files: 0, bytes: 0, deletedFiles: 0, deletedBytes: 0, unreadable: 0 };
    limits.beginCount();
    this.evictor.oldest.begin(after);
    const onUnreadable = this.#unreadable.begin();
    for await (const upload of store.list({ withUploaders: limits.isByUploader, onUnreadable })) {
      if (this.#isStopping) return summary;
      if (isExpired(retention.expiryOf(upload), now()) && (await this.#deleteExpired(upload))) {
        summary.deletedFiles += 1;
        summary.deletedBytes += upload.size;
        continue;
      }
      limits.count(upload);
      this.evictor.oldest.gather(upload);
      summary.files += 1;
      summary.bytes += upload.size;
    }
    this.#isTidying = true;
    for await (const upload of store.tidy({ onUnreadable })) limits.countDeleted(upload);
    summary.unreadable = this.#unreadable.end();
    this.evictor.endGathering();
    limits.endCount();
    const endedAt = now();
    this.#last = { ...summary, endedAt, durationMs: endedAt - startedAt };
    logger.info(summary, 'swept');
    return summary;
  }

  /** Opens the upload if its type, purpose or token decides and the listing does not tell them. */
  async #isSurelyExpired(listed: ListedUpload): Promise<boolean> {
    const { store, retention, now } = this.#context;
    const { key } = listed;
    if (listed.isComplete || isExpired(retention.latestExpiryOf(listed), now())) return true;
    const upload = await store.open(key);
    upload?.close();
    return upload !== undefined && isExpired(retention.expiryOf({ ...upload, key }), now());
  }

  /** False if the upload stays. If it could not be deleted, the next sweep tries again. */
  async #deleteExpired(upload: ListedUpload): Promise<boolean> {
    const { store, logger, now } = this.#context;
    const line = deletionLine(upload, 'expired', now());
    try {
      // If a power failure brings it back, it is still answered with 410, and the next sweep deletes it again.
      const isDeleted =
        (await this.#isSurelyExpired(upload)) && (await store.delete(upload.key, { isRepeated: true })) !== undefined;
      if (isDeleted) logger.info(line, 'deleted');
      return isDeleted;
    } catch (error) {
      logger.warn({ ...line, error: messageOf(error) }, 'could not be deleted');
      return false;
    }
  }
}
