import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { LimitSettings } from './limits.js';
import type { RunningUpload, RunningUploads } from './running-uploads.js';
import type { StoreCount } from './store-count.js';
import { countedBytes } from './usage.js';

/** After a sweep, so many bytes are evicted at once; in between, uploads that wait for room take their turn. */
const sliceBytes = 16 * 1024 * 1024;

/** What the room maker works with. */
export interface RoomContext {
  /** Bytes that are free on the filesystem. */
  freeBytes(): Promise<number>;
  /** Whether an upload of this key is stored, or was deleted and its slot is blocked. */
  isTaken(key: UploadKey): Promise<boolean>;
  /** Evicts the oldest uploads for so many bytes, as long as that is wanted and more may go; resolves to the freed bytes. */
  evict(bytes: number, isWanted: () => boolean): Promise<number>;
}

/** Evicts uploads for others, one eviction at a time. */
export class RoomMaker {
  readonly #settings: LimitSettings;
  readonly #context: RoomContext;
  readonly #count: StoreCount;
  readonly #running: RunningUploads;
  #evictions: Promise<unknown> = Promise.resolve();

  constructor(settings: LimitSettings, context: RoomContext, count: StoreCount, running: RunningUploads) {
    this.#settings = settings;
    this.#context = context;
    this.#count = count;
    this.#running = running;
  }

  /**
   * Makes room for the first `arrived` bytes of a running upload; resolves to how many it may store now. Throws `STORE_FULL`,
   * and `KEY_TAKEN` before it evicts anything.
   */
  makeRoom(upload: RunningUpload, arrived: number): Promise<number> {
    return this.#inTurn(() => this.#makeRoom(upload, arrived));
  }

  /** Evicts what exceeds the limits after a sweep, for as long as that is wanted: other programs may have put it there. */
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

  async #inTurn<T>(evict: () => Promise<T>): Promise<T> {
    const turn = this.#evictions.then(evict);
    this.#evictions = turn.catch(() => undefined);
    return turn;
  }

  async #makeRoom(upload: RunningUpload, arrived: number): Promise<number> {
    const more = countedBytes(arrived) - upload.room;
    if (more <= 0) return upload.room;
    const missing = await this.#missingFor(more);
    if (missing > 0) {
      await this.#requireFree(upload);
      const freed = await this.#context.evict(missing, () => this.#running.has(upload));
      if (freed < missing) throw new FilerError('STORE_FULL', 'fewer bytes could be evicted than the upload needs');
    }
    this.#running.widen(upload, more);
    return upload.room;
  }

  async #requireFree(upload: RunningUpload): Promise<void> {
    if (upload.isKnownFree) return;
    if (await this.#context.isTaken(upload.key)) {
      throw new FilerError('KEY_TAKEN', 'the upload exists, or was deleted (replayWindow)');
    }
    upload.isKnownFree = true;
  }

  /** How many bytes must be evicted so that an upload may store so many more; room for other uploads is made in their turn. */
  async #missingFor(more: number): Promise<number> {
    const { maxStoreSize = Number.POSITIVE_INFINITY, minFreeSpace } = this.#settings;
    const unwritten = this.#running.unwrittenRoom();
    const space = minFreeSpace === 0 ? Number.POSITIVE_INFINITY : (await this.#context.freeBytes()) - minFreeSpace;
    const overSize = this.#count.stored + this.#running.room + more - maxStoreSize;
    return Math.min(more, Math.max(overSize, unwritten + more - space));
  }
}
