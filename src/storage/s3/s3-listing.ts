/*
 * How a sweep sees a bucket. It reports and passes over an object that the service gives no facts of, or whose name or
 * metadata make no sense, so that every sweep ends. Where the service itself does not answer, the sweep fails.
 */
import { FilerError } from '../../errors.js';
import { inBatches } from '../../in-batches.js';
import { dayMs } from '../../units.js';
import { typeOfName } from '../../upload/content-type.js';
import { keyOfPath, reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { UploaderFilter } from '../../upload/uploader.js';
import type { DeletedUpload, ListedUpload, ListOptions, ReportUnreadable } from '../store.js';
import type { S3Bucket } from './s3-bucket.js';
import { isOfOneObject } from './s3-errors.js';
import type { NotedExpiry, S3Expiries } from './s3-expiries.js';
import { readNote, timeOf, toFacts, type UploaderOfKey } from './s3-facts.js';
import type { ListedObject } from './s3-listed-object.js';
import type { S3Slots } from './s3-slots.js';
import { guessKind, isTombstone, mayBeOfToday, readTombstone } from './s3-tombstone.js';

/** HEAD requests that run at the same time. */
const headsAtOnce = 32;

/**
 * A sweep deletes each due upload when it is listed, so the listing need remember only those that are still there then. When
 * there are so many, it stops looking for due ones.
 */
const maxKept = 10_000;

/** What a listing works with. */
export interface S3ListingContext {
  readonly bucket: S3Bucket;
  readonly expiries: S3Expiries;
  readonly slots: S3Slots;
  readonly uploaderOf: UploaderOfKey;
  /** The beginning of all names in the bucket. */
  readonly path: string;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Whether an object belongs to this program's bookkeeping, or is a folder in the eyes of other programs. */
function isKnownOddity({ name, size }: ListedObject): boolean {
  return name.toLowerCase().startsWith(`${reservedFolder}/`) || (size === 0 && /(^|\/)$/.test(name));
}

/** One listing or tidying of a bucket. */
export class S3Listing {
  readonly #context: S3ListingContext;
  readonly #report: ReportUnreadable;
  readonly #signal: AbortSignal | undefined;

  constructor(context: S3ListingContext, { onUnreadable = () => undefined, signal }: ListOptions) {
    this.#context = context;
    this.#signal = signal;
    // A name may hold control characters, which must not reach a terminal.
    this.#report = ({ path, reason }) =>
      onUnreadable({ path: JSON.stringify(context.path + path).slice(1, -1), reason });
  }

  /** Lists as `Store.list` says. Uploads whose noted expiry is due come first, with all facts. */
  async *list({ withUploaders = false, of }: ListOptions): AsyncGenerator<ListedUpload> {
    if (of !== undefined) return yield* this.#listOf(of);
    const { expiries, now } = this.#context;
    const kept = new Set<UploadKey>();
    for await (const expiry of expiries.due(now(), this.#report)) {
      const upload = await this.#findNoted(expiry);
      if (upload === undefined) continue;
      yield upload;
      if ((await this.#findNoted(expiry)) !== undefined) kept.add(expiry.key);
      if (kept.size === maxKept) break;
    }
    yield* this.#listBelow('', (key) => !kept.has(key), withUploaders);
  }

  async *#listOf({ folders, includes }: UploaderFilter): AsyncGenerator<ListedUpload> {
    const { uploaderOf } = this.#context;
    for (const folder of folders) yield* this.#listBelow(`${folder}/`, (key) => includes(uploaderOf(key)), true);
    // The other keys do not name their uploaders, only the metadata do.
    for await (const upload of this.#listBelow('', (key) => uploaderOf(key) === undefined, true)) {
      if (includes(upload.uploader)) yield upload;
    }
  }

  /** The uploads whose keys begin so and are wanted. */
  async *#listBelow(
    beginning: string,
    isWanted: (key: UploadKey) => boolean,
    withUploaders: boolean,
  ): AsyncGenerator<ListedUpload> {
    for await (const objects of inBatches(this.#context.bucket.list(beginning, this.#report), headsAtOnce)) {
      if (this.#signal?.aborted === true) return;
      const described = objects.map(async (object) => {
        const key = this.#keyOf(object);
        return key === undefined || !isWanted(key) ? undefined : this.#describe(key, object, withUploaders);
      });
      yield* (await Promise.all(described)).filter((upload) => upload !== undefined);
    }
  }

  /** Tidies as `Tidying.tidy` says. */
  async *tidy(): AsyncGenerator<DeletedUpload> {
    await this.#tidyExpiries();
    for await (const object of this.#context.bucket.list('', this.#report)) {
      const key = keyOfPath(object.name);
      if (key === undefined || guessKind(object) === 'upload') continue;
      const upload = await this.#passingOver(key, () => this.#tidyTombstone(key, object));
      if (upload !== undefined) yield upload;
    }
  }

  async #tidyExpiries(): Promise<void> {
    const { bucket, expiries, now } = this.#context;
    // An upload may still be running for a day after its expiry was noted.
    for await (const expiry of expiries.due(now() - dayMs, this.#report)) {
      await this.#passingOver(expiry.key, async () => {
        const head = await bucket.head(expiry.key);
        if (head === undefined || readNote(head).putId !== expiry.putId) await expiries.forget(expiry);
      });
    }
  }

  /** Removes a tombstone in its last phase; resolves to the upload that a tombstone of today describes. */
  async #tidyTombstone(key: UploadKey, object: ListedObject): Promise<DeletedUpload | undefined> {
    const { bucket, slots, uploaderOf } = this.#context;
    if (slots.phaseAt(object.modifiedAt) !== 'removable' && !mayBeOfToday(object)) return undefined;
    const head = await bucket.head(key);
    if (head === undefined || !isTombstone(head)) return undefined;
    if (slots.phaseAt(timeOf(head)) === 'removable') {
      await bucket.remove(key);
      return undefined;
    }
    const upload = readTombstone(key, head, uploaderOf);
    if (upload === undefined) this.#report({ path: key, reason: 'its metadata do not describe a deleted upload' });
    return upload;
  }

  /** The upload that a listed object is; `undefined` for a tombstone. */
  async #describe(key: UploadKey, object: ListedObject, withUploaders: boolean): Promise<ListedUpload | undefined> {
    const kind = guessKind(object);
    const { size, modifiedAt } = object;
    // Later an upload of the same bytes may have replaced the tombstone.
    if (kind === 'tombstone' && this.#context.slots.phaseAt(modifiedAt) === 'blocks') return undefined;
    const facts = { contentType: typeOfName(key), uploader: this.#context.uploaderOf(key) };
    const listed = { key, ...facts, size, modifiedAt, isComplete: false };
    if (kind !== 'upload') return this.#passingOver(key, () => this.#find(key));
    if (!withUploaders || listed.uploader !== undefined) return listed;
    return this.#passingOver(key, () => this.#find(key), listed);
  }

  /** The upload at a key with all facts; `undefined` for a tombstone, and where another PUT than `putId` wrote it. */
  async #find(key: UploadKey, putId?: string): Promise<ListedUpload | undefined> {
    const head = await this.#context.bucket.head(key);
    if (head === undefined || isTombstone(head)) return undefined;
    if (putId !== undefined && readNote(head).putId !== putId) return undefined;
    return { key, ...toFacts(key, head, this.#context.uploaderOf), isComplete: true };
  }

  #findNoted({ key, putId }: NotedExpiry): Promise<ListedUpload | undefined> {
    return this.#passingOver(key, () => this.#find(key, putId));
  }

  /** The call's result. Where the service refuses this one object, reports it and gives `otherwise`. */
  async #passingOver<T>(key: UploadKey, call: () => Promise<T>, otherwise?: T): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof FilerError && isOfOneObject(error))) throw error;
      this.#report({ path: key, reason: error.message });
      return otherwise;
    }
  }

  #keyOf(object: ListedObject): UploadKey | undefined {
    const key = keyOfPath(object.name);
    if (key === undefined && !isKnownOddity(object)) {
      this.#report({ path: object.name, reason: 'no upload can have this name' });
    }
    return key;
  }
}
