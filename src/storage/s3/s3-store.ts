/*
 * Uploads as objects path/<key> of an S3-compatible service:
 *
 *   put:  HEAD → note of the expiry, if no listing will tell it → PUT If-None-Match: *
 *
 * The PUT is all or nothing and never replaces, also when another filer puts the same key. Type, disposition and caching
 * are the object's own headers, for those who fetch it past this program; uploader (by id) and expiry are metadata.
 */
import { randomUUID } from 'node:crypto';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { FilerError } from '../../errors.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { UploaderIds } from '../../upload/uploader.js';
import { DownloadMemory } from '../download-memory.js';
import type {
  DeletedUpload,
  IncomingUpload,
  Lifetimes,
  ListedUpload,
  ListOptions,
  ServedStore,
  StoredUpload,
  TidyOptions,
  TombstonePhase,
} from '../store.js';
import { relayBody } from './relay-body.js';
import type { ObjectHeaders, S3Bucket } from './s3-bucket.js';
import { S3Download } from './s3-download.js';
import { type NotedExpiry, noteBytes, S3Expiries } from './s3-expiries.js';
import { objectHeaders, readNote, timeOf, toFacts } from './s3-facts.js';
import { maxNameBytes } from './s3-keys.js';
import { S3Listing, type S3ListingContext } from './s3-listing.js';
import { locator } from './s3-locator.js';
import type { S3Options } from './s3-options.js';
import { isTombstone, makeTombstone } from './s3-tombstone.js';

const checkBytes = 4096;

/** How a store in a bucket works. */
export interface S3StoreSettings {
  readonly uploaderIds: UploaderIds;
  /** How long uploads stay; for ever if not set. */
  readonly lifetimes?: Lifetimes;
  /** The phase of a tombstone by its age in ms. Not set: deletions leave no tombstones. */
  readonly tombstonePhase?: (ageMs: number) => TombstonePhase;
  /** The clock by which tombstones and noted expiries are over, in ms since the epoch. */
  readonly now?: () => number;
  /** Takes what the operator should know of a call that succeeds all the same, one line each. */
  readonly warn?: (message: string) => void;
}

const forEver: Lifetimes = { keptUntil: () => undefined, dueAt: () => undefined };

/** A store in a bucket. */
export class S3Store implements ServedStore {
  readonly #bucket: S3Bucket;
  readonly #options: S3Options;
  readonly #expiries: S3Expiries;
  readonly #listed: S3ListingContext;
  readonly #uploaderIds: UploaderIds;
  readonly #lifetimes: Lifetimes;
  readonly #warn: (message: string) => void;
  readonly #memory = new DownloadMemory();
  readonly #readAhead = new DownloadMemory();
  /** The note of an expiry is longer than the upload's own name. */
  readonly #maxKeyBytes: number;

  constructor(bucket: S3Bucket, options: S3Options, settings: S3StoreSettings) {
    const { uploaderIds, lifetimes = forEver, now = Date.now, warn = () => undefined } = settings;
    const { tombstonePhase = () => 'replaceable' } = settings;
    this.#bucket = bucket;
    this.#uploaderIds = uploaderIds;
    this.#lifetimes = lifetimes;
    this.#warn = warn;
    this.#options = options;
    this.#expiries = new S3Expiries(bucket);
    this.#listed = { bucket, expiries: this.#expiries, path: options.path, tombstonePhase, now };
    this.#maxKeyBytes = maxNameBytes - Buffer.byteLength(options.path) - noteBytes;
  }

  async put(key: UploadKey, upload: IncomingUpload): Promise<void> {
    if (!this.#isShort(key))
      throw new FilerError('KEY_INVALID', `the key is longer than S3 takes, ${maxNameBytes} bytes`);
    const condition = await this.#conditionFor(await this.#bucket.head(key));
    const putId = randomUUID();
    const uploader = upload.uploader === undefined ? undefined : this.#uploaderIds.idOf(upload.uploader);
    const facts = { ...upload, key, uploader, modifiedAt: this.#listed.now() };
    // Noted although it may be later than the expiry of now: that one changes with the settings.
    const dueAt = this.#lifetimes.dueAt(facts) ?? upload.expiresAt;
    if (dueAt !== undefined) await this.#expiries.note({ key, putId, dueAt });
    try {
      const headers = objectHeaders(facts, this.#lifetimes.keptUntil(facts), { putId, dueAt });
      await this.#send(key, upload, { ...headers, ...condition }, putId);
    } catch (error) {
      // Where the store gave no answer, it may have the upload all the same.
      const isGone = !(error instanceof FilerError && error.code === 'STORE_BUSY');
      if (dueAt !== undefined && isGone) await this.#forget({ key, putId, dueAt });
      throw error;
    }
  }

  async open(key: UploadKey): Promise<StoredUpload | undefined> {
    const head = await this.#headUpload(key);
    if (head === undefined) return undefined;
    const facts = toFacts(key, head);
    const version = { etag: head.ETag ?? '', size: facts.size };
    const download = new S3Download({
      size: version.size,
      open: (range) => this.#bucket.read(key, version, range),
      memory: this.#memory,
      readAhead: this.#readAhead,
    });
    return {
      ...facts,
      etag: version.etag,
      prepare: (range) => download.prepare(range),
      writeTo: (sink, range) => download.writeTo(sink, range),
      ...locator(this.#bucket, this.#options, key),
      close: () => download.close(),
    };
  }

  async delete(key: UploadKey): Promise<DeletedUpload | undefined> {
    const head = await this.#headUpload(key);
    if (head === undefined) return undefined;
    const upload = { key, ...toFacts(key, head) };
    if (this.#listed.tombstonePhase(0) !== 'blocks') await this.#bucket.remove(key);
    else await this.#bury(upload);
    const { putId, dueAt } = readNote(head);
    if (dueAt !== undefined && putId !== undefined) await this.#forget({ key, putId, dueAt });
    return upload;
  }

  list(options: ListOptions = {}): AsyncIterable<ListedUpload> {
    return new S3Listing(this.#listed, options).list(options);
  }

  async wasDeleted(key: UploadKey): Promise<boolean> {
    const head = await this.#head(key);
    return head !== undefined && isTombstone(head) && this.#phaseOf(head) === 'blocks';
  }

  tidy(options: TidyOptions = {}): AsyncIterable<DeletedUpload> {
    return new S3Listing(this.#listed, options).tidy();
  }

  async check(): Promise<void> {
    // One name for all, so that the next check removes what one left that the service did not answer.
    const name = `${reservedFolder}/check`;
    await this.#bucket.write(name, Buffer.alloc(checkBytes), {});
    await this.#bucket.remove(name);
  }

  #isShort(key: UploadKey): boolean {
    return Buffer.byteLength(key) <= this.#maxKeyBytes;
  }

  /** The object at a key, whatever it is. */
  async #head(key: UploadKey): Promise<HeadObjectCommandOutput | undefined> {
    return this.#isShort(key) ? this.#bucket.head(key) : undefined;
  }

  /** Forgets a noted expiry; one that stays does no harm, and goes some time after it is due. */
  async #forget(expiry: NotedExpiry): Promise<void> {
    await this.#expiries.forget(expiry).catch(() => undefined);
  }

  /** The object where it is an upload. */
  async #headUpload(key: UploadKey): Promise<HeadObjectCommandOutput | undefined> {
    const head = await this.#head(key);
    return head === undefined || isTombstone(head) ? undefined : head;
  }

  #phaseOf(tombstone: HeadObjectCommandOutput): TombstonePhase {
    const { now, tombstonePhase } = this.#listed;
    return tombstonePhase(now() - timeOf(tombstone));
  }

  /** What a PUT asks for where this is at its key. Throws `KEY_TAKEN`. */
  async #conditionFor(
    head: HeadObjectCommandOutput | undefined,
  ): Promise<Pick<ObjectHeaders, 'IfMatch' | 'IfNoneMatch'>> {
    const isExclusive = await this.#bucket.isExclusive();
    if (head === undefined) return isExclusive ? { IfNoneMatch: '*' } : {};
    if (!isTombstone(head)) throw new FilerError('KEY_TAKEN', 'the upload exists');
    // Without its quotes all services take it, with them not all.
    const etag = head.ETag?.replaceAll('"', '');
    const phase = this.#phaseOf(head);
    if (phase === 'replaceable') return isExclusive ? { IfMatch: etag } : {};
    const until = phase === 'blocks' ? 'replayWindow' : 'until a sweep has removed its tombstone';
    throw new FilerError('KEY_TAKEN', `an upload of this slot was deleted (${until})`);
  }

  /**
   * Puts a tombstone into the place of an upload. Where the bucket is too full for it, the upload goes first, which makes room;
   * warns if it has not.
   */
  async #bury(upload: DeletedUpload): Promise<void> {
    if (await this.#leaveTombstone(upload, {})) return;
    await this.#bucket.remove(upload.key);
    const condition = (await this.#bucket.isExclusive()) ? { IfNoneMatch: '*' } : {};
    if (await this.#leaveTombstone(upload, condition)) return;
    const found = `${upload.key} was deleted, but the bucket is too full to note that (replayWindow)`;
    this.#warn(`${found}: its PUT URL can be used again, if its token has not expired`);
  }

  /** Whether there was room for it, or no need. */
  async #leaveTombstone(upload: DeletedUpload, condition: ObjectHeaders): Promise<boolean> {
    const { body, headers } = makeTombstone(upload);
    try {
      await this.#bucket.write(upload.key, body, { ...headers, ...condition });
      return true;
    } catch (error) {
      const code = error instanceof FilerError ? error.code : undefined;
      // Another PUT has taken the slot since the upload was removed: there is nothing to block.
      if (code === 'KEY_TAKEN') return true;
      if (code === 'STORE_FULL') return false;
      throw error;
    }
  }

  async #send(key: UploadKey, upload: IncomingUpload, headers: ObjectHeaders, putId: string): Promise<void> {
    let isSent = false;
    try {
      await relayBody(upload.openBody(), upload.size, async (body, signal) => {
        body.once('end', () => {
          isSent = true;
        });
        await this.#bucket.writeStream(key, body, upload.size, headers, signal);
      });
    } catch (error) {
      // The service may have all of it and only its answer was lost.
      const isUnsure = isSent && error instanceof FilerError && error.code === 'STORE_BUSY';
      if (!(isUnsure && (await this.#holds(key, putId)))) throw error;
    }
  }

  /** Whether the key holds what this PUT wrote, as far as can be told. */
  async #holds(key: UploadKey, putId: string): Promise<boolean> {
    const head = await this.#bucket.head(key).catch(() => undefined);
    return head !== undefined && readNote(head).putId === putId;
  }
}
