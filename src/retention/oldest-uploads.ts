/*
 * The uploads that may be evicted next. Each sweep gathers the oldest ones, some thousands, so that the memory is bounded.
 * When these are used up, another sweep gathers those that come after them.
 */
import type { ListedUpload } from '../storage/store.js';
import type { UploadKey } from '../upload/upload-key.js';
import { countedBytes } from './usage.js';

const maxOldest = 5000;
/** When so few are left, a sweep gathers more before somebody has to wait for it. */
const fewOldest = 1000;

/** What a running sweep has gathered so far. */
interface Gathering {
  readonly after: ListedUpload | undefined;
  uploads: ListedUpload[];
  hasMore: boolean;
  evictableBytes: number;
  /** Uploads that were evicted since the sweep began. */
  readonly evicted: Set<UploadKey>;
}

/** Compares by age and then by key, so that the order is the same in each sweep. */
export function byAge(left: ListedUpload, right: ListedUpload): number {
  return left.modifiedAt - right.modifiedAt || (left.key < right.key ? -1 : Number(left.key > right.key));
}

function bytesOf(uploads: readonly ListedUpload[]): number {
  return uploads.reduce((sum, { size }) => sum + countedBytes(size), 0);
}

/** The oldest uploads, in the order in which they are evicted. */
export class OldestUploads {
  readonly #mayGo: (upload: ListedUpload) => boolean;
  #uploads: ListedUpload[] = [];
  #hasMore = false;
  /** Bytes of the uploads that may be evicted and are not in the list. */
  #bytesBeyond = 0;
  #gathering: Gathering | undefined;

  /** `mayGo` says whether an upload is old enough. */
  constructor(mayGo: (upload: ListedUpload) => boolean) {
    this.#mayGo = mayGo;
  }

  /** Begins to gather the oldest uploads that come after this one, or all. */
  begin(after: ListedUpload | undefined): void {
    this.#gathering = { after, uploads: [], hasMore: false, evictableBytes: 0, evicted: new Set() };
  }

  /** Gathers an upload if it is among the oldest. */
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

  /** Replaces the list by the gathered uploads; gives the uploads that were evicted after they had been gathered. */
  end(): ListedUpload[] {
    if (this.#gathering === undefined) return [];
    const { uploads, hasMore, evictableBytes, evicted } = this.#gathering;
    this.#gathering = undefined;
    const gone = uploads.filter(({ key }) => evicted.has(key));
    const left = uploads.filter(({ key }) => !evicted.has(key)).sort(byAge);
    this.#uploads = left.slice(0, maxOldest);
    this.#hasMore = hasMore || left.length > maxOldest;
    this.#bytesBeyond = this.#hasMore ? Math.max(0, evictableBytes - bytesOf(gone) - this.#bytesThatMayGo()) : 0;
    return gone;
  }

  /** The oldest upload, if it is old enough. */
  get next(): ListedUpload | undefined {
    const [first] = this.#uploads;
    return first !== undefined && this.#mayGo(first) ? first : undefined;
  }

  /** Whether the list is empty. */
  get isEmpty(): boolean {
    return this.#uploads.length === 0;
  }

  /** Whether the store has more uploads than the last sweep gathered. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** Whether it is time to gather more. */
  get isRunningOut(): boolean {
    return this.#hasMore && this.#uploads.length < fewOldest;
  }

  /** Bytes of all uploads that may be evicted. */
  evictableBytes(): number {
    return this.#bytesThatMayGo() + this.#bytesBeyond;
  }

  /** Removes an upload from the list, since it is gone or cannot be deleted; false if it was not in the list. */
  drop(key: UploadKey): boolean {
    const index = this.#uploads.findIndex((upload) => upload.key === key);
    if (index !== -1) this.#uploads.splice(index, 1);
    return index !== -1;
  }

  /** Tells a running sweep that an upload was evicted. */
  noteEvicted(key: UploadKey): void {
    this.#gathering?.evicted.add(key);
  }

  #bytesThatMayGo(): number {
    const first = this.#uploads.findIndex((upload) => !this.#mayGo(upload));
    return bytesOf(first === -1 ? this.#uploads : this.#uploads.slice(0, first));
  }
}
