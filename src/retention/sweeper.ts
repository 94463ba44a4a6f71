/*
 * The sweep goes through all uploads one at a time, deletes what has expired, and counts the rest. The memory that it
 * takes is bounded whatever lies in the store: beside the counts, only the oldest uploads are kept, for eviction.
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
  /** The least age at which an upload may go to make room, ms. */
  readonly evictMinAgeMs: number;
  readonly logger: { info(line: object, message: string): void; warn(line: object, message: string): void };
  /** ms since the epoch. */
  readonly now: () => number;
}

/** What a sweep found and did. */
export interface SweepSummary {
  files: number;
  bytes: number;
  deletedFiles: number;
  deletedBytes: number;
  /** Entries that were passed over because they cannot be read. */
  unreadable: number;
}

/** Deletes what has expired, and has the rest counted and the oldest uploads gathered. */
export class Sweeper {
  readonly evictor: Evictor;
  readonly #context: SweeperContext;
  readonly #unreadable: UnreadableEntries;
  #sweeping: Promise<SweepSummary> | undefined;
  #isStopping = false;
  #isTidying = false;

  constructor(context: SweeperContext) {
    this.#context = context;
    this.evictor = new Evictor({ ...context, sweep: (after) => this.#join(after) });
    this.#unreadable = new UnreadableEntries(context.logger);
  }

  /** How many entries the last complete sweep passed over because they cannot be read. */
  get unreadable(): number {
    return this.#unreadable.count;
  }

  /** Sweeps once, and evicts what it finds to be too much; while a sweep is running, waits for that one instead. */
  async sweep(): Promise<SweepSummary> {
    const summary = await this.#join(undefined);
    await this.#context.limits.evictExcess(() => !this.#isStopping);
    return summary;
  }

  /** Has a running sweep end after its current upload, whatever becomes of it; what it only tidies up is not waited for. */
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
    logger.info(summary, 'swept');
    return summary;
  }

  /** Opens the upload if its type or token decides and the listing did not tell them. */
  async #isSurelyExpired({ key, isComplete, ...facts }: ListedUpload): Promise<boolean> {
    const { store, retention, now } = this.#context;
    if (isComplete || isExpired(retention.latestExpiryOf({ ...facts, key }), now())) return true;
    const upload = await store.open(key);
    upload?.close();
    return upload !== undefined && isExpired(retention.expiryOf({ ...upload, key }), now());
  }

  /** Whether it is gone; what cannot be deleted is tried again by the next sweep. */
  async #deleteExpired(upload: ListedUpload): Promise<boolean> {
    const { store, logger, now } = this.#context;
    const { key } = upload;
    const line = deletionLine(upload, 'expired', now());
    try {
      const isDeleted = (await this.#isSurelyExpired(upload)) && (await store.delete(key)) !== undefined;
      if (isDeleted) logger.info(line, 'deleted');
      return isDeleted;
    } catch (error) {
      logger.warn({ ...line, error: messageOf(error) }, 'could not be deleted');
      return false;
    }
  }
}
