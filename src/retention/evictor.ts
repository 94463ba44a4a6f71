/*
 * Eviction takes the oldest uploads first. Each sweep gathers some thousands of them, so that the memory is bounded; when
 * they are used up, another sweep gathers those that come after. What cannot be deleted is passed over until the next
 * sweep that is not for an eviction.
 */
import { messageOf } from '../errors.js';
import type { ListedUpload, Store } from '../storage/store.js';
import type { UploadKey } from '../upload/upload-key.js';
import { deletionLine } from './deletion-line.js';
import type { StoreLimits } from './store-limits.js';
import { countedBytes } from './usage.js';

const maxOldest = 5000;
/** When so few are left, a sweep gathers more before somebody has to wait for it. */
const fewOldest = 1000;

/** What an evictor works with. */
export interface EvictorContext {
  readonly store: Pick<Store, 'delete'>;
  readonly limits: Pick<StoreLimits, 'forget' | 'uncount'>;
  /** The least age at which an upload may go to make room, ms. */
  readonly evictMinAgeMs: number;
  readonly logger: { info(line: object, message: string): void; warn(line: object, message: string): void };
  /** ms since the epoch. */
  readonly now: () => number;
  /** Has a sweep gather the oldest uploads that come after this one, or waits for a sweep that is running. */
  sweep(after: ListedUpload | undefined): Promise<unknown>;
}

/** What a running sweep gathers. */
interface Gathering {
  readonly after: ListedUpload | undefined;
  uploads: ListedUpload[];
  hasMore: boolean;
  evictableBytes: number;
  /** What was evicted meanwhile. */
  readonly gone: Set<UploadKey>;
}

/** By age, in an order that is the same in each sweep. */
function byAge(left: ListedUpload, right: ListedUpload): number {
  return left.modifiedAt - right.modifiedAt || (left.key < right.key ? -1 : Number(left.key > right.key));
}

function bytesOf(uploads: readonly ListedUpload[]): number {
  return uploads.reduce((sum, { size }) => sum + countedBytes(size), 0);
}

/** Deletes the oldest uploads to make room for others. */
export class Evictor {
  readonly #context: EvictorContext;
  /** Oldest first. */
  #oldest: ListedUpload[] = [];
  #hasMore = false;
  /** Bytes of the uploads that may go and are not in `#oldest`. */
  #bytesBeyond = 0;
  /** The last one that was tried. */
  #passed: ListedUpload | undefined;
  #gathering: Gathering | undefined;

  constructor(context: EvictorContext) {
    this.#context = context;
  }

  /** Begins to gather the oldest uploads that come after this one, or all. */
  beginGathering(after: ListedUpload | undefined): void {
    this.#gathering = { after, uploads: [], hasMore: false, evictableBytes: 0, gone: new Set() };
  }

  /** Has an upload of the sweep gathered if it is among the oldest. */
  gather(upload: ListedUpload): void {
    const gathering = this.#gathering;
    if (gathering === undefined) return;
    const { after, uploads } = gathering;
    if (after !== undefined && byAge(upload, after) <= 0) return;
    if (this.#mayGo(upload)) gathering.evictableBytes += countedBytes(upload.size);
    if (uploads.push(upload) < 2 * maxOldest) return;
    gathering.uploads = uploads.sort(byAge).slice(0, maxOldest);
    gathering.hasMore = true;
  }

  /** The gathered uploads are evicted next from now on. */
  endGathering(): void {
    if (this.#gathering === undefined) return;
    const { uploads, hasMore, evictableBytes, gone } = this.#gathering;
    this.#gathering = undefined;
    const goneUploads = uploads.filter(({ key }) => gone.has(key));
    for (const upload of goneUploads) this.#context.limits.uncount(upload);
    const left = uploads.filter(({ key }) => !gone.has(key)).sort(byAge);
    this.#oldest = left.slice(0, maxOldest);
    this.#hasMore = hasMore || left.length > maxOldest;
    this.#passed = undefined;
    this.#bytesBeyond = this.#hasMore ? Math.max(0, evictableBytes - bytesOf(goneUploads) - this.#bytesThatMayGo()) : 0;
  }

  /** Bytes of the uploads that may go. */
  evictableBytes(): number {
    return this.#bytesThatMayGo() + this.#bytesBeyond;
  }

  /** Takes an upload that is gone, or cannot be deleted, off those that may go; whether it was among them. */
  drop(key: UploadKey): boolean {
    const index = this.#oldest.findIndex((upload) => upload.key === key);
    if (index !== -1) this.#oldest.splice(index, 1);
    return index !== -1;
  }

  /**
   * Deletes the oldest uploads until so many bytes are freed, it is no longer wanted, or no more of them may go or can be
   * deleted; resolves to the bytes that it freed.
   */
  async evict(bytes: number, isWanted: () => boolean): Promise<number> {
    const failures: object[] = [];
    let freed = 0;
    let last: ListedUpload | undefined;
    let batch = { tries: 0, freedBefore: 0 };
    while (freed < bytes && isWanted()) {
      if (this.#oldest.length === 0) {
        // After thousands that cannot be deleted this one gives up, and the next eviction goes on behind them.
        if (!this.#hasMore || (batch.tries > 0 && freed === batch.freedBefore)) break;
        await this.#context.sweep(this.#passed ?? last);
        batch = { tries: 0, freedBefore: freed };
      }
      const [upload] = this.#oldest;
      if (upload === undefined || !this.#mayGo(upload)) break;
      // A sweep that began earlier gathers those that were tried already.
      if (last !== undefined && byAge(upload, last) <= 0) {
        this.drop(upload.key);
        continue;
      }
      last = upload;
      this.#passed = upload;
      batch.tries += 1;
      const result = await this.#delete(upload);
      if (typeof result === 'number') freed += result;
      else failures.push(result);
    }
    if (failures.length > 0) {
      const line = { ...failures[0], files: failures.length };
      this.#context.logger.warn(line, 'files could not be deleted to make room; this is the first one');
    }
    // If it fails, the next one that is waited for, or the next regular one, logs why.
    if (this.#hasMore && this.#oldest.length < fewOldest) this.#context.sweep(this.#passed).catch(() => undefined);
    return freed;
  }

  #bytesThatMayGo(): number {
    const first = this.#oldest.findIndex((upload) => !this.#mayGo(upload));
    return bytesOf(first === -1 ? this.#oldest : this.#oldest.slice(0, first));
  }

  #mayGo({ modifiedAt }: ListedUpload): boolean {
    return this.#context.now() - modifiedAt >= this.#context.evictMinAgeMs;
  }

  /** The bytes that it freed, or what to log where it could not. */
  async #delete(upload: ListedUpload): Promise<number | object> {
    const { store, limits, logger, now } = this.#context;
    const line = deletionLine(upload, 'evicted', now());
    let isDeleted: boolean;
    try {
      isDeleted = (await store.delete(upload.key)) !== undefined;
    } catch (error) {
      this.drop(upload.key);
      return { ...line, error: messageOf(error) };
    }
    const isListed = this.drop(upload.key);
    // Somebody else removed it; one that a request removed was dropped then, and is counted no longer.
    if (!isDeleted && !isListed) return 0;
    if (isDeleted) logger.info(line, 'deleted');
    limits.forget(upload);
    this.#gathering?.gone.add(upload.key);
    return countedBytes(upload.size);
  }
}
