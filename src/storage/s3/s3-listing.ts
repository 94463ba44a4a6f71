/*
 * What a sweep sees of a bucket. An object of which the service does not tell, or whose name or metadata are nonsense, is
 * reported and passed over, so that every sweep ends; where the service itself does not answer, the sweep fails.
 */
import { FilerError } from '../../errors.js';
import { dayMs } from '../../units.js';
import { factsOfKey } from '../../upload/facts-of-key.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import { inBatches } from '../in-batches.js';
import type {
  DeletedUpload,
  ListedUpload,
  ListOptions,
  ReportUnreadable,
  TidyOptions,
  TombstonePhase,
} from '../store.js';
import type { S3Bucket } from './s3-bucket.js';
import { isOfOneObject } from './s3-errors.js';
import type { NotedExpiry, S3Expiries } from './s3-expiries.js';
import { readNote, timeOf, toFacts } from './s3-facts.js';
import { keyOfName } from './s3-keys.js';
import type { ListedObject } from './s3-listed-object.js';
import { isTombstone, looksLikeTombstone, mayBeOfToday, readTombstone } from './s3-tombstone.js';

/** How many objects of a listing are asked about together. */
const headsAtOnce = 32;

/** How many due uploads may still be there when the next one is listed; beyond that, the others are listed as not due. */
const maxKept = 10_000;

/** What a listing works with. */
export interface S3ListingContext {
  readonly bucket: S3Bucket;
  readonly expiries: S3Expiries;
  /** What all names in the bucket begin with. */
  readonly path: string;
  readonly tombstonePhase: (ageMs: number) => TombstonePhase;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Whether it is kept for this program, or makes a folder in the eyes of other programs. */
function isKnownOddity({ name, size }: ListedObject): boolean {
  return name.toLowerCase().startsWith(`${reservedFolder}/`) || (size === 0 && /(^|\/)$/.test(name));
}

/** One listing or tidying of a bucket. */
export class S3Listing {
  readonly #context: S3ListingContext;
  readonly #report: ReportUnreadable;

  constructor(context: S3ListingContext, { onUnreadable = () => undefined }: TidyOptions) {
    this.#context = context;
    // Such a name may hold control characters, which must not reach a terminal.
    this.#report = ({ path, reason }) =>
      onUnreadable({ path: JSON.stringify(context.path + path).slice(1, -1), reason });
  }

  /** As `Store.list` says; those whose noted expiry is due come first, with all that is known. */
  async *list({ withUploaders = false }: ListOptions): AsyncGenerator<ListedUpload> {
    const { bucket, expiries, now } = this.#context;
    const kept = new Set<UploadKey>();
    for await (const expiry of expiries.due(now(), this.#report)) {
      const upload = await this.#findNoted(expiry);
      if (upload === undefined) continue;
      yield upload;
      // A sweep has deleted it by now: only others need be remembered.
      if ((await this.#findNoted(expiry)) !== undefined) kept.add(expiry.key);
      if (kept.size === maxKept) break;
    }
    for await (const objects of inBatches(bucket.list('', this.#report), headsAtOnce)) {
      const described = objects.map(async (object) => {
        const key = this.#keyOf(object);
        return key === undefined || kept.has(key) ? undefined : this.#describe(key, object, withUploaders);
      });
      yield* (await Promise.all(described)).filter((upload) => upload !== undefined);
    }
  }

  /** As `Store.tidy` says. */
  async *tidy(): AsyncGenerator<DeletedUpload> {
    const { bucket, expiries, now } = this.#context;
    // Of what was noted lately the upload may still be on its way.
    for await (const expiry of expiries.due(now() - dayMs, this.#report)) {
      await this.#passingOver(expiry.key, async () => {
        const head = await bucket.head(expiry.key);
        if (head === undefined || readNote(head).putId !== expiry.putId) await expiries.forget(expiry);
      });
    }
    for await (const object of bucket.list('', this.#report)) {
      const key = keyOfName(object.name);
      if (key === undefined || looksLikeTombstone(object) === false) continue;
      const upload = await this.#passingOver(key, () => this.#tidyTombstone(key, object));
      if (upload !== undefined) yield upload;
    }
  }

  /** Removes what may be a tombstone if its time is over; or else resolves to the upload that it tells of, if it does. */
  async #tidyTombstone(key: UploadKey, object: ListedObject): Promise<DeletedUpload | undefined> {
    const { bucket } = this.#context;
    if (this.#phaseAt(object.modifiedAt) !== 'removable' && !mayBeOfToday(object)) return undefined;
    const head = await bucket.head(key);
    if (head === undefined || !isTombstone(head)) return undefined;
    if (this.#phaseAt(timeOf(head)) === 'removable') {
      await bucket.remove(key);
      return undefined;
    }
    const upload = readTombstone(key, head);
    if (upload === undefined) this.#report({ path: key, reason: 'its metadata do not tell what was deleted' });
    return upload;
  }

  /** The upload that a listed object is, `undefined` where it is a tombstone. */
  async #describe(key: UploadKey, object: ListedObject, withUploaders: boolean): Promise<ListedUpload | undefined> {
    const looks = looksLikeTombstone(object);
    if (looks === true && this.#phaseAt(object.modifiedAt) === 'blocks') return undefined;
    const { size, modifiedAt } = object;
    const known = { key, ...factsOfKey(key), size, modifiedAt, isComplete: false };
    const isEnough = looks === false && (!withUploaders || known.uploader !== undefined);
    if (isEnough) return known;
    const isUpload = looks === false ? known : undefined;
    return this.#passingOver(key, () => this.#find(key), isUpload);
  }

  async #find(key: UploadKey): Promise<ListedUpload | undefined> {
    const head = await this.#context.bucket.head(key);
    return head === undefined || isTombstone(head) ? undefined : { key, ...toFacts(key, head), isComplete: true };
  }

  /** The upload that an expiry was noted for, if it is there. */
  #findNoted({ key, putId }: NotedExpiry): Promise<ListedUpload | undefined> {
    return this.#passingOver(key, async () => {
      const head = await this.#context.bucket.head(key);
      if (head === undefined || isTombstone(head) || readNote(head).putId !== putId) return undefined;
      return { key, ...toFacts(key, head), isComplete: true };
    });
  }

  /** What the call resolves to; where the service refuses this one object, `otherwise`. */
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
    const key = keyOfName(object.name);
    if (key === undefined && !isKnownOddity(object)) {
      this.#report({ path: object.name, reason: 'no upload can have this name' });
    }
    return key;
  }

  #phaseAt(modifiedAt: number) {
    return this.#context.tombstonePhase(this.#context.now() - modifiedAt);
  }
}
