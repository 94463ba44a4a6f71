/*
 * How much may be stored, in all and by uploader. A running upload counts with all its bytes, so that parallel uploads cannot
 * exceed a limit together; against the free space it counts with the bytes that are still to be written. An upload that
 * needs room is admitted if enough others may be evicted. They are evicted as its bytes arrive, so that nothing is deleted
 * for bytes that never come.
 */
import { FilerError } from '../errors.js';
import { isLimit } from '../units.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import { KnownUploaders } from './known-uploaders.js';
import type { ForgottenUpload, LimitSettings, Limits, PlannedUpload, Reservation } from './limits.js';
import { type QuotaLeft, quotaLeft } from './quota-left.js';
import { Quotas, quotasOf } from './quotas.js';
import { requireQuota } from './require-quota.js';
import { type RoomContext, RoomMaker } from './room-maker.js';
import { RunningUploads } from './running-uploads.js';
import { StoreCount } from './store-count.js';
import { type CountedUpload, countedBytes, type KeyedUpload } from './usage.js';

/** What the limits work with. */
export interface LimitsContext extends RoomContext {
  /** Bytes of the uploads that may be evicted. */
  evictableBytes(): number;
  /** Takes a deleted upload off the list of those that are evicted next. */
  dropEvictable(key: UploadKey): void;
  readonly uploaderIds: UploaderIds;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** An upload or slot that asks for room. */
type Asking = Pick<PlannedUpload, 'size' | 'uploader' | 'quota'>;

function describeBytes(size: number): string {
  return size === countedBytes(size) ? `${size} bytes` : `${size} bytes, counted as ${countedBytes(size)},`;
}

/** Decides whether there is room, and keeps the store within its limits. */
export class StoreLimits implements Limits {
  readonly #settings: LimitSettings;
  readonly #context: LimitsContext;
  readonly #uploaders: KnownUploaders;
  readonly #quotas: Quotas;
  readonly #keys = new Set<UploadKey>();
  readonly #running: RunningUploads;
  readonly #count: StoreCount;
  readonly #roomMaker: RoomMaker;

  constructor(settings: LimitSettings, context: LimitsContext) {
    this.#settings = settings;
    this.#context = context;
    this.#uploaders = new KnownUploaders(context.uploaderIds);
    this.#quotas = new Quotas(settings.quotas, context.uploaderIds);
    this.#running = new RunningUploads(context.now);
    this.#count = new StoreCount(context.now);
    this.#roomMaker = new RoomMaker(settings, context, this.#count, this.#running);
  }

  /** Whether there is a limit for each uploader. */
  get isByUploader(): boolean {
    const quotas = [this.#settings, ...this.#settings.quotas];
    return quotas.some(({ userQuota, dailyQuota }) => isLimit(userQuota) || isLimit(dailyQuota));
  }

  /** Begins a new count of the store. */
  beginCount(): void {
    this.#count.begin();
  }

  /** Counts an upload that the sweep has found; its uploader is named by a JID or an id. */
  count(upload: KeyedUpload): void {
    this.#count.count(this.#identified(upload), this.#keys.has(upload.key));
  }

  /** Takes an upload off the new count: it was deleted after the sweep had found it. */
  uncount(upload: CountedUpload): void {
    this.#count.uncount(this.#identified(upload));
  }

  /** Counts a deleted upload for its uploader's dailyQuota. */
  countDeleted(upload: CountedUpload): void {
    this.#count.countDeleted(this.#identified(upload));
  }

  /** Ends the new count: it replaces the one before. */
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
   * Throws what `reserve` would throw for a slot's upload, and evicts nothing. Where this program does not see the slot's
   * upload, the slot counts until a sweep finds that, or it can no longer come; the result takes it back.
   */
  async admitSlot(slot: Asking & Pick<PlannedUpload, 'key'>, isUploadUnseen: boolean): Promise<() => void> {
    if (this.#needsCount) await this.#count.requireFirst();
    return this.#withSpace((space) => {
      this.#requireRoom(slot, space);
      return isUploadUnseen
        ? this.#count.give({ ...this.#identified(slot), modifiedAt: this.#context.now() })
        : () => undefined;
    });
  }

  /** An uploader's uploads of the last 24 hours, by the hour. Waits for the first count, 20 s at most (`STORE_BUSY`). */
  async sentByHour(uploader: string): Promise<CountedUpload[]> {
    await this.#count.requireFirst();
    return this.#count.sentByHour(this.#uploaders.idsOf(uploader));
  }

  /** What the quotas leave to an uploader. Waits for the first count, 20 s at most (`STORE_BUSY`). */
  async quotaLeft(uploader: string): Promise<QuotaLeft> {
    if (this.isByUploader) await this.#count.requireFirst();
    const quotas = quotasOf(this.#settings, this.#quotas.find({ uploader }));
    return quotaLeft(quotas, this.#count, this.#running, this.#uploaders.idsOf(uploader));
  }

  /** Bytes of all uploads, as maxStoreSize counts them; `undefined` before the first count. */
  get usedBytes(): number | undefined {
    return this.#count.used;
  }

  /** The uploaders with the most bytes stored, the largest first, at most so many; `undefined` before the first count. */
  largestUploaders(count: number): { readonly id: string; readonly bytes: number }[] | undefined {
    return this.#count.largestUploaders(count);
  }

  /** Evicts what exceeds the limits after a sweep, for as long as that is wanted. */
  evictExcess(isWanted: () => boolean): Promise<void> {
    return this.#roomMaker.evictExcess(isWanted);
  }

  /** The upload with its uploader's id in place of a JID. */
  #identified<T extends { readonly uploader?: string | undefined }>(upload: T): T {
    const { uploader } = upload;
    return uploader === undefined ? upload : { ...upload, uploader: this.#context.uploaderIds.idOf(uploader) };
  }

  #requireNotRunning(key: UploadKey): void {
    if (this.#keys.has(key)) throw new FilerError('UPLOAD_RUNNING', 'an upload of this slot is running');
  }

  /** Whether any limit depends on the count of the store. */
  get #needsCount(): boolean {
    const { maxStoreSize, minFreeSpace, evictsWhenFull } = this.#settings;
    return maxStoreSize !== undefined || this.isByUploader || (minFreeSpace > 0 && evictsWhenFull);
  }

  /** Calls with the bytes that may be written beside all running uploads; no upload may begin between the two. */
  async #withSpace<T>(decide: (space: number) => T): Promise<T> {
    const { minFreeSpace } = this.#settings;
    if (minFreeSpace === 0) return decide(Number.POSITIVE_INFINITY);
    const unwritten = this.#running.unwritten();
    const { begun } = this.#running;
    const free = await this.#context.freeBytes();
    const begunMeanwhile = this.#running.begun - begun;
    return decide(free - minFreeSpace - unwritten - begunMeanwhile);
  }

  /** Whether others must be evicted for it. Throws `STORE_FULL` or `QUOTA_REACHED`. */
  #requireRoom(asking: Asking, space: number): boolean {
    const { size, uploader } = asking;
    const { maxStoreSize = Number.POSITIVE_INFINITY, evictsWhenFull } = this.#settings;
    const bytes = countedBytes(size);
    if (uploader !== undefined) {
      const ids = this.#uploaders.idsOf(uploader);
      const table = this.#quotas.find(asking);
      requireQuota(this.#settings, this.#count, this.#running, bytes, uploader, ids, table);
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
    const running = { ...this.#identified(upload), room, isKnownFree: false };
    const { key, size, uploader } = running;
    this.#running.add(running);
    return {
      makeRoom: isEvicting ? (arrived) => this.#roomMaker.makeRoom(running, arrived) : undefined,
      settle: (isStored, sentBytes) => {
        this.#running.remove(running);
        this.#keys.delete(key);
        const modifiedAt = this.#context.now();
        if (isStored) this.#count.add({ key, size, uploader, modifiedAt });
        else this.#count.addBrokenOff({ key, size: sentBytes, uploader, modifiedAt });
      },
    };
  }
}
