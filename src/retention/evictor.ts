import { messageOf } from '../errors.js';
import type { ListedUpload, Store } from '../storage/store.js';
import { deletionLine } from './deletion-line.js';
import { byAge, OldestUploads } from './oldest-uploads.js';
import type { StoreLimits } from './store-limits.js';
import { countedBytes } from './usage.js';

/** What an evictor works with. */
export interface EvictorContext {
  readonly store: Pick<Store, 'delete'>;
  readonly limits: Pick<StoreLimits, 'forget' | 'uncount'>;
  /** The least age of an upload that may be evicted, ms. */
  readonly evictMinAgeMs: number;
  readonly logger: { info(line: object, message: string): void; warn(line: object, message: string): void };
  /** ms since the epoch. */
  readonly now: () => number;
  /** Has a sweep gather the oldest uploads that come after this one, or waits for the sweep that is running. */
  sweep(after: ListedUpload | undefined): Promise<unknown>;
}

/** Deletes the oldest uploads to make room for others. What cannot be deleted is passed over until the next regular sweep. */
export class Evictor {
  /** The uploads that are evicted next; a sweep gathers them. */
  readonly oldest: OldestUploads;
  readonly #context: EvictorContext;
  /** The upload that was tried last. */
  #passed: ListedUpload | undefined;

  constructor(context: EvictorContext) {
    this.#context = context;
    const { now, evictMinAgeMs } = context;
    this.oldest = new OldestUploads(({ modifiedAt }) => now() - modifiedAt >= evictMinAgeMs);
  }

  /** Ends the gathering: from now on, the gathered uploads are evicted next. */
  endGathering(): void {
    for (const upload of this.oldest.end()) this.#context.limits.uncount(upload);
    this.#passed = undefined;
  }

  /**
   * Deletes the oldest uploads until so many bytes are freed, `isWanted` is false, or no more uploads may or can be deleted;
   * resolves to the freed bytes.
   */
  async evict(bytes: number, isWanted: () => boolean): Promise<number> {
    const failures: object[] = [];
    let freed = 0;
    let last: ListedUpload | undefined;
    let batch = { tries: 0, freedBefore: 0 };
    while (freed < bytes && isWanted()) {
      if (this.oldest.isEmpty) {
        // After thousands that cannot be deleted, this eviction gives up, and the next one goes on behind them.
        if (!this.oldest.hasMore || (batch.tries > 0 && freed === batch.freedBefore)) break;
        await this.#context.sweep(this.#passed ?? last);
        batch = { tries: 0, freedBefore: freed };
      }
      const { next } = this.oldest;
      if (next === undefined) break;
      // A sweep that began earlier gathers uploads that were tried already.
      if (last !== undefined && byAge(next, last) <= 0) {
        this.oldest.drop(next.key);
        continue;
      }
      last = next;
      this.#passed = next;
      batch.tries += 1;
      const result = await this.#delete(next);
      if (typeof result === 'number') freed += result;
      else failures.push(result);
    }
    if (failures.length > 0) {
      const line = { ...failures[0], files: failures.length };
      this.#context.logger.warn(line, 'files could not be deleted to make room; this is the first one');
    }
    // If this sweep fails, the next regular one, or one that an eviction waits for, logs why.
    if (this.oldest.isRunningOut) this.#context.sweep(this.#passed).catch(() => undefined);
    return freed;
  }

  /** The bytes that it freed, or what to log where it could not. */
  async #delete(upload: ListedUpload): Promise<number | object> {
    const { store, limits, logger, now } = this.#context;
    const line = deletionLine(upload, 'evicted', now());
    let isDeleted: boolean;
    try {
      // If a power failure brings it back, it is among the oldest again, and is evicted when room is needed.
      isDeleted = (await store.delete(upload.key, { isRepeated: true })) !== undefined;
    } catch (error) {
      this.oldest.drop(upload.key);
      return { ...line, error: messageOf(error) };
    }
    const isListed = this.oldest.drop(upload.key);
    // Somebody else removed it. If that was a request, it was dropped then, and is no longer counted.
    if (!isDeleted && !isListed) return 0;
    if (isDeleted) logger.info(line, 'deleted');
    limits.forget(upload);
    this.oldest.noteEvicted(upload.key);
    return countedBytes(upload.size);
  }
}
