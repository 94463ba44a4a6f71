/*
 * The sweep goes through all uploads one at a time, deletes what has expired, and counts the rest. The memory that it
 * takes is bounded whatever lies in the store: beside the counts, only the oldest uploads are kept, for eviction.
 */
import { messageOf } from '../errors.js';
import type { ListedUpload, Store } from '../storage/store.js';
import { isExpired, type Retention } from '../upload/expiry.js';
import type { StoreLimits } from './store-limits.js';
import { UnreadableEntries } from './unreadable-entries.js';

const maxOldest = 5000;

/** What a sweeper works with. */
export interface SweeperContext {
  readonly store: Store;
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

function byAge(left: ListedUpload, right: ListedUpload): number {
  return left.modifiedAt - right.modifiedAt;
}

/** Deletes what has expired, or what makes room for others. */
export class Sweeper {
  readonly #context: SweeperContext;
  readonly #unreadable: UnreadableEntries;
  /** Oldest first. */
  #oldest: ListedUpload[] = [];
  #hasMore = false;
  #sweeping: Promise<SweepSummary> | undefined;
  #isStopping = false;
  #isTidying = false;

  constructor(context: SweeperContext) {
    this.#context = context;
    this.#unreadable = new UnreadableEntries(context.logger);
  }

  /** How many entries the last complete sweep passed over because they cannot be read. */
  get unreadable(): number {
    return this.#unreadable.count;
  }

  /** Sweeps once; a call while a sweep is running resolves with that one's summary. */
  sweep(): Promise<SweepSummary> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
      this.#isTidying = false;
    });
    return this.#sweeping;
  }

  /** Has a running sweep end after its current upload, whatever becomes of it; what it only tidies up is not waited for. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (!this.#isTidying) await this.#sweeping?.catch(() => undefined);
  }

  /** Deletes the oldest uploads until so many bytes are freed, none younger than may be, and none if that is known not to do. */
  async evict(bytes: number): Promise<void> {
    const evictable = this.#oldest.filter((upload) => this.#mayEvict(upload)).reduce((sum, { size }) => sum + size, 0);
    if (evictable < bytes && !this.#hasMore) return;
    for (let freed = 0; freed < bytes; ) {
      if (this.#oldest.length === 0 && this.#hasMore) await this.sweep();
      const [upload] = this.#oldest;
      if (upload === undefined || !this.#mayEvict(upload)) return;
      this.#oldest.shift();
      if (await this.#delete(upload, 'evicted')) {
        this.#context.limits.forget(upload);
        freed += upload.size;
      }
    }
  }

  #mayEvict({ modifiedAt }: ListedUpload): boolean {
    return this.#context.now() - modifiedAt >= this.#context.evictMinAgeMs;
  }

  async #sweep(): Promise<SweepSummary> {
    const { store, retention, limits, logger, now } = this.#context;
    const summary = { files: 0, bytes: 0, deletedFiles: 0, deletedBytes: 0, unreadable: 0 };
    let oldest: ListedUpload[] = [];
    let hasMore = false;
    limits.beginCount();
    const onUnreadable = this.#unreadable.begin();
    for await (const upload of store.list({ withUploaders: limits.isByUploader, onUnreadable })) {
      if (this.#isStopping) return summary;
      if (isExpired(retention.expiryOf(upload), now()) && (await this.#delete(upload, 'expired'))) {
        summary.deletedFiles += 1;
        summary.deletedBytes += upload.size;
        continue;
      }
      limits.count(upload);
      summary.files += 1;
      summary.bytes += upload.size;
      oldest.push(upload);
      if (oldest.length === 2 * maxOldest) {
        oldest = oldest.sort(byAge).slice(0, maxOldest);
        hasMore = true;
      }
    }
    this.#isTidying = true;
    for await (const upload of store.tidy({ onUnreadable })) limits.countDeleted(upload);
    summary.unreadable = this.#unreadable.end();
    limits.endCount();
    this.#oldest = oldest.sort(byAge).slice(0, maxOldest);
    this.#hasMore = hasMore || oldest.length > maxOldest;
    logger.info(summary, 'swept');
    return summary;
  }

  /** Whether it is gone; what cannot be deleted is tried again by the next sweep. */
  async #delete({ key, size, modifiedAt }: ListedUpload, reason: 'expired' | 'evicted'): Promise<boolean> {
    const { store, retention, logger, now } = this.#context;
    const line = { path: key, bytes: size, ageSeconds: Math.round((now() - modifiedAt) / 1000), reason };
    try {
      // A listing may not have told its type.
      const deleted = await store.delete(
        key,
        (facts) => reason === 'evicted' || isExpired(retention.expiryOf({ ...facts, key }), now()),
      );
      if (deleted !== undefined) logger.info(line, 'deleted');
      return deleted !== undefined;
    } catch (error) {
      logger.warn({ ...line, error: messageOf(error) }, 'could not be deleted');
      return false;
    }
  }
}
