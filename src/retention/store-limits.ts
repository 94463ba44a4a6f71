/*
 * What may be stored, in all and by uploader. Running uploads count with all their bytes, so that parallel ones cannot
 * overshoot, and on the disk with those that have still to be written. An upload that needs room is admitted when
 * enough others may be evicted. They are evicted as its bytes arrive, so that no file goes for bytes that never come.
 */
import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import { KnownUploaders } from './known-uploaders.js';
import type { ForgottenUpload, LimitSettings, Limits, PlannedUpload, Reservation } from './limits.js';
import { requireQuota } from './require-quota.js';
import { type RunningUpload, RunningUploads } from './running-uploads.js';
import { type KeyedUpload, StoreCount } from './store-count.js';
import { type CountedUpload, countedBytes } from './usage.js';

/** How many bytes are evicted at once after a sweep: uploads that wait for room take their turn in between. */
const sliceBytes = 16 * 1024 * 1024;

/** What the limits need beside counting. */
export interface LimitsContext {
  /** Bytes that are free on the filesystem. */
  freeBytes(): Promise<number>;
  /** Whether an upload of this key is stored, or was deleted and its slot stays taken. */
  isTaken(key: UploadKey): Promise<boolean>;
  /** Bytes of the uploads that may be evicted. */
  evictableBytes(): number;
  /** Takes an upload that is gone off those that may be evicted. */
  dropEvictable(key: UploadKey): void;
  /** Evicts the oldest uploads until so many bytes are freed, no more may go, or it is unwanted; resolves to what it freed. */
  evict(bytes: number, isWanted: () => boolean): Promise<number>;
  readonly uploaderIds: UploaderIds;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** An upload or slot that asks for room. */
type Asking = Pick<PlannedUpload, 'size' | 'uploader'>;

function describeBytes(size: number): string {
  return size === countedBytes(size) ? `${size} bytes` : `${size} bytes, counted as ${countedBytes(size)},`;
}

/** Keeps what is stored within its limits. */
export class StoreLimits implements Limits {
  readonly #settings: LimitSettings;
  readonly #context: LimitsContext;
  readonly #uploaders: KnownUploaders;
  readonly #keys = new Set<UploadKey>();
  readonly #running: RunningUploads;
  readonly #count: StoreCount;
  /** One eviction at a time. */
  #evictions: Promise<unknown> = Promise.resolve();

  constructor(settings: LimitSettings, context: LimitsContext) {
    this.#settings = settings;
    this.#context = context;
    this.#uploaders = new KnownUploaders(context.uploaderIds);
    this.#running = new RunningUploads(context.now);
    this.#count = new StoreCount(context.now);
  }

  /** Whether there is a limit for each uploader. */
  get isByUploader(): boolean {
    return (this.#settings.userQuota ?? this.#settings.dailyQuota) !== undefined;
  }

  /** Begins to count anew what is stored. */
  beginCount(): void {
    this.#count.begin();
  }

  /** Counts an upload that the sweep has found; its uploader is named by a JID or an id. */
  count(upload: KeyedUpload): void {
    this.#count.count(this.#identified(upload), this.#keys.has(upload.key));
  }

  /** Takes back what the sweep has found and is gone since. */
  uncount(upload: CountedUpload): void {
    this.#count.uncount(this.#identified(upload));
  }

  /** Counts an upload that is gone, for what its uploader sent on its day. */
  countDeleted(upload: CountedUpload): void {
    this.#count.countDeleted(this.#identified(upload));
  }

  /** From now on what was counted is what is stored. */
  endCount(): void {
    this.#count.end();
  }

  forget(upload: ForgottenUpload): void {
    this.#context.dropEvictable(upload.key);
    this.#count.forget(this.#identified(upload));
  }

  /** Waits for the first count, 20 s at most (`STORE_BUSY`). Throws as `Limits` says. */
  async reserve(upload: PlannedUpload): Promise<Reservation> {
    const { key } = upload;
    this.#requireNotRunning(key);
    if (this.#needsCount) await this.#count.requireFirst();
    this.#requireNotRunning(key);
    this.#keys.add(key);
    try {
      return await this.#withSpace((space) => this.#begin(upload, this.#requireRoom(upload, space)));
    } catch (error) {
      this.#keys.delete(key);
      throw error;
    }
  }

  /**
   * Throws what `reserve` would throw for a slot's upload, and evicts nothing. A slot whose upload nobody will see counts
   * until the next sweep; the result takes it back.
   */
  async admitSlot(slot: Asking, isUploadUnseen: boolean): Promise<() => void> {
    if (this.#needsCount) await this.#count.requireFirst();
    return this.#withSpace((space) => {
      this.#requireRoom(slot, space);
      return isUploadUnseen
        ? this.#count.give({ ...this.#identified(slot), modifiedAt: this.#context.now() })
        : () => undefined;
    });
  }

  /** What an uploader sent in the last 24 hours, by the hour; waits for the first count, 20 s at most (`STORE_BUSY`). */
  async sentByHour(uploader: string): Promise<CountedUpload[]> {
    await this.#count.requireFirst();
    return this.#count.sentByHour(this.#uploaders.idsOf(uploader));
  }

  /** Evicts what the last sweep found to be too much, if that is wanted: others may have put it there. */
  async evictExcess(isWanted: () => boolean): Promise<void> {
    const { maxStoreSize = Number.POSITIVE_INFINITY, evictsWhenFull, minFreeSpace } = this.#settings;
    if (!evictsWhenFull) return;
    // Asked for once, since some filesystems report late what became free.
    const missing = minFreeSpace === 0 ? 0 : minFreeSpace - (await this.#context.freeBytes());
    for (let excess = Math.max(missing, this.#count.stored - maxStoreSize); excess > 0; ) {
      const bytes = Math.min(excess, sliceBytes);
      const freed = await this.#inTurn(() => this.#context.evict(bytes, isWanted));
      if (freed < bytes) return;
      excess -= freed;
    }
  }

  /** The same with its uploader's id in place of a JID. */
  #identified<T extends { readonly uploader?: string | undefined }>(upload: T): T {
    const { uploader } = upload;
    return uploader === undefined ? upload : { ...upload, uploader: this.#context.uploaderIds.idOf(uploader) };
  }

  #requireNotRunning(key: UploadKey): void {
    if (this.#keys.has(key)) throw new FilerError('UPLOAD_RUNNING', 'an upload of this slot is running');
  }

  /** Whether any limit depends on the count of the store. */
  get #needsCount(): boolean {
    const { maxStoreSize, userQuota, dailyQuota, minFreeSpace, evictsWhenFull } = this.#settings;
    return (maxStoreSize ?? userQuota ?? dailyQuota) !== undefined || (minFreeSpace > 0 && evictsWhenFull);
  }

  /** Calls with the bytes that may be written beside all running uploads; nothing else may begin in between. */
  async #withSpace<T>(decide: (space: number) => T): Promise<T> {
    const { minFreeSpace } = this.#settings;
    if (minFreeSpace === 0) return decide(Number.POSITIVE_INFINITY);
    const unwritten = this.#running.unwritten();
    const { begun } = this.#running;
    const free = await this.#context.freeBytes();
    const begunMeanwhile = this.#running.begun - begun;
    return decide(free - minFreeSpace - unwritten - begunMeanwhile);
  }

  /** Whether the room has to be made by eviction. */
  #requireRoom({ size, uploader }: Asking, space: number): boolean {
    const { maxStoreSize = Number.POSITIVE_INFINITY, evictsWhenFull } = this.#settings;
    const bytes = countedBytes(size);
    if (uploader !== undefined) {
      const ids = this.#uploaders.idsOf(uploader);
      requireQuota(this.#settings, this.#count, this.#running, bytes, uploader, ids);
    }
    const overSize = this.#count.stored + this.#count.given + this.#running.planned + bytes - maxStoreSize;
    const missing = Math.max(overSize, bytes - space);
    if (missing <= 0) return false;
    if (evictsWhenFull && missing <= this.#context.evictableBytes()) return true;
    const tooFew = evictsWhenFull ? ', even if all uploads older than evictMinAge were evicted' : '';
    throw new FilerError(
      'STORE_FULL',
      `${describeBytes(size)} are ${missing} more than maxStoreSize and minFreeSpace leave room for${tooFew}`,
    );
  }

  #begin(upload: PlannedUpload, isEvicting: boolean): Reservation {
    const room = isEvicting ? 0 : countedBytes(upload.size);
    const running = { ...this.#identified(upload), isEvicting, room, isKnownFree: false };
    this.#running.add(running);
    return {
      makeRoom: isEvicting ? (arrived) => this.#inTurn(() => this.#makeRoom(running, arrived)) : undefined,
      settle: (isStored, sentBytes) => this.#settle(running, isStored, sentBytes),
    };
  }

  #settle(running: RunningUpload, isStored: boolean, sentBytes: number): void {
    const { key, size, uploader } = running;
    this.#running.remove(running);
    this.#keys.delete(key);
    const modifiedAt = this.#context.now();
    if (isStored) this.#count.add({ key, size, uploader, modifiedAt });
    else this.#count.addBrokenOff({ key, size: sentBytes, uploader, modifiedAt });
  }

  async #inTurn<T>(evict: () => Promise<T>): Promise<T> {
    const turn = this.#evictions.then(evict);
    this.#evictions = turn.catch(() => undefined);
    return turn;
  }

  async #makeRoom(running: RunningUpload, arrived: number): Promise<number> {
    const more = countedBytes(arrived) - running.room;
    if (more <= 0) return running.room;
    const missing = await this.#missingFor(more);
    if (missing > 0) {
      await this.#requireFree(running);
      const freed = await this.#context.evict(missing, () => this.#running.has(running));
      if (freed < missing) throw new FilerError('STORE_FULL', 'fewer bytes could be evicted than the upload needs');
    }
    this.#running.widen(running, more);
    return running.room;
  }

  async #requireFree(running: RunningUpload): Promise<void> {
    if (running.isKnownFree) return;
    if (await this.#context.isTaken(running.key)) {
      throw new FilerError('KEY_TAKEN', 'the upload exists, or was deleted (replayWindow)');
    }
    running.isKnownFree = true;
  }

  /** How many bytes must be evicted for so many more of this upload; what other uploads lack is left to them. */
  async #missingFor(more: number): Promise<number> {
    const { maxStoreSize = Number.POSITIVE_INFINITY, minFreeSpace } = this.#settings;
    const unwritten = this.#running.unwrittenRoom();
    const space = minFreeSpace === 0 ? Number.POSITIVE_INFINITY : (await this.#context.freeBytes()) - minFreeSpace;
    const overSize = this.#count.stored + this.#running.room + more - maxStoreSize;
    return Math.min(more, Math.max(overSize, unwritten + more - space));
  }
}
