/*
 * Uploads as objects path/<key> of an S3-compatible service:
 *
 *   put:  HEAD → note of the expiry, if listings will not tell it → PUT If-None-Match: *
 *
 * The PUT is all or nothing and never replaces an upload, also when another filer puts the same key. Type, disposition and
 * caching are the object's own headers, for clients that fetch it from the service. The uploader (as an id), the expiry and the
 * purpose are metadata.
 */
import { randomUUID } from 'node:crypto';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { FilerError } from '../../errors.js';
import { lacksCharset } from '../../upload/content-type.js';
import { typeByContent } from '../../upload/text-charset.js';
import { reservedFolder, type UploadKey, uploaderOfKey } from '../../upload/upload-key.js';
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
} from '../store.js';
import { beginningOf, relayBody } from './relay-body.js';
import type { ObjectHeaders, S3Bucket } from './s3-bucket.js';
import { S3Download } from './s3-download.js';
import { type NotedExpiry, noteBytes, S3Expiries } from './s3-expiries.js';
import { objectHeaders, readNote, toFacts } from './s3-facts.js';
import { S3Listing, type S3ListingContext } from './s3-listing.js';
import { locator } from './s3-locator.js';
import type { S3Options } from './s3-options.js';
import { S3Slots, type SlotRules } from './s3-slots.js';
import { isTombstone } from './s3-tombstone.js';

/** The longest key of an object, in bytes. */
const maxNameBytes = 1024;

const checkBytes = 4096;

const forEver: Lifetimes = { keptUntil: () => undefined, dueAt: () => undefined };

/** How a store in a bucket works. */
export interface S3StoreSettings extends SlotRules {
  readonly uploaderIds: UploaderIds;
  /** The domain of ejabberd's users, if their names are in the keys. */
  readonly jidInUrlDomain?: string | undefined;
  /** How long uploads stay; for ever if not set. */
  readonly lifetimes?: Lifetimes;
}

/** What became of a PUT that failed. `unknown`: the service did not answer, and may have stored the upload or store it yet. */
type FailedPut = 'stored' | 'not stored' | 'unknown';

/** A store in a bucket. */
export class S3Store implements ServedStore {
  readonly #bucket: S3Bucket;
  readonly #options: S3Options;
  readonly #uploaderIds: UploaderIds;
  readonly #lifetimes: Lifetimes;
  readonly #now: () => number;
  readonly #expiries: S3Expiries;
  readonly #slots: S3Slots;
  readonly #listed: S3ListingContext;
  readonly #memory = new DownloadMemory();
  readonly #readAhead = new DownloadMemory();
  /** Less than S3 takes, since the note of an expiry has a longer name than its upload. */
  readonly #maxKeyBytes: number;

  constructor(bucket: S3Bucket, options: S3Options, settings: S3StoreSettings) {
    const { uploaderIds, jidInUrlDomain, lifetimes = forEver, now = Date.now } = settings;
    this.#bucket = bucket;
    this.#options = options;
    this.#uploaderIds = uploaderIds;
    this.#lifetimes = lifetimes;
    this.#now = now;
    this.#expiries = new S3Expiries(bucket);
    this.#slots = new S3Slots(bucket, settings);
    const uploaderOf = (key: UploadKey) => {
      const uploader = uploaderOfKey(key, jidInUrlDomain);
      return uploader === undefined ? undefined : uploaderIds.idOf(uploader);
    };
    this.#listed = { bucket, expiries: this.#expiries, slots: this.#slots, uploaderOf, path: options.path, now };
    this.#maxKeyBytes = maxNameBytes - Buffer.byteLength(options.path) - noteBytes;
  }

  async put(key: UploadKey, upload: IncomingUpload): Promise<void> {
    if (!this.#isShort(key)) {
      throw new FilerError('NAME_TOO_LONG', `the key is longer than S3 takes, ${maxNameBytes} bytes`);
    }
    const condition = await this.#slots.conditionFor(await this.#bucket.head(key));
    const putId = randomUUID();
    const uploader = upload.uploader === undefined ? undefined : this.#uploaderIds.idOf(upload.uploader);
    const facts = { ...upload, key, uploader, modifiedAt: this.#now() };
    // The token's expiry is noted even where the settings of now let the upload expire earlier: they may change.
    const dueAt = this.#lifetimes.dueAt(facts) ?? upload.expiresAt;
    const headersFor = (contentType: string) => ({
      ...objectHeaders({ ...facts, contentType }, this.#lifetimes.keptUntil(facts), { putId, dueAt }),
      ...condition,
    });
    if (dueAt !== undefined) await this.#expiries.note({ key, putId, dueAt });
    let isSent = false;
    try {
      await this.#send(key, upload, headersFor, () => {
        isSent = true;
      });
    } catch (error) {
      const outcome = await this.#outcomeOf(error, isSent, key, putId);
      if (outcome === 'stored') return;
      if (outcome === 'not stored' && dueAt !== undefined) await this.#forget({ key, putId, dueAt });
      throw error;
    }
  }

  async open(key: UploadKey): Promise<StoredUpload | undefined> {
    const head = await this.#headUpload(key);
    if (head === undefined) return undefined;
    const facts = toFacts(key, head, this.#listed.uploaderOf);
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
    const upload = { key, ...toFacts(key, head, this.#listed.uploaderOf) };
    await this.#slots.bury(upload);
    const { putId, dueAt } = readNote(head);
    if (dueAt !== undefined && putId !== undefined) await this.#forget({ key, putId, dueAt });
    return upload;
  }

  list(options: ListOptions = {}): AsyncIterable<ListedUpload> {
    return new S3Listing(this.#listed, options).list(options);
  }

  async wasDeleted(key: UploadKey): Promise<boolean> {
    const head = await this.#head(key);
    return head !== undefined && this.#slots.isBlocked(head);
  }

  tidy(options: TidyOptions = {}): AsyncIterable<DeletedUpload> {
    return new S3Listing(this.#listed, options).tidy();
  }

  async check(): Promise<void> {
    // Always the same name, so that the next check removes the object if the service does not answer to this DELETE.
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

  /** The object at a key if it is an upload. */
  async #headUpload(key: UploadKey): Promise<HeadObjectCommandOutput | undefined> {
    const head = await this.#head(key);
    return head === undefined || isTombstone(head) ? undefined : head;
  }

  /** Removes the note of an expiry. If that fails, a sweep removes it a day after the expiry. */
  async #forget(expiry: NotedExpiry): Promise<void> {
    await this.#expiries.forget(expiry).catch(() => undefined);
  }

  async #send(
    key: UploadKey,
    { size, contentType, openBody }: IncomingUpload,
    headersFor: (contentType: string) => ObjectHeaders,
    onSent: () => void,
  ): Promise<void> {
    await relayBody(openBody(), size, async (body, signal) => {
      body.once('end', onSent);
      const isText = lacksCharset(contentType) && size > 0;
      const type = isText ? typeByContent(contentType, await beginningOf(body, signal)) : contentType;
      await this.#bucket.writeStream(key, body, size, headersFor(type), signal);
    });
  }

  async #outcomeOf(error: unknown, isSent: boolean, key: UploadKey, putId: string): Promise<FailedPut> {
    if (!(error instanceof FilerError && error.code === 'STORE_BUSY')) return 'not stored';
    // All bytes were sent, so perhaps only the answer was lost.
    const head = isSent ? await this.#bucket.head(key).catch(() => undefined) : undefined;
    return head !== undefined && readNote(head).putId === putId ? 'stored' : 'unknown';
  }
}
