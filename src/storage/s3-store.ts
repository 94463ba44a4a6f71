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
import { FilerError } from '../errors.js';
import { factsOfKey } from '../upload/facts-of-key.js';
import { reservedFolder, type UploadKey } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import { inBatches } from './in-batches.js';
import { relayBody } from './relay-body.js';
import type { ListedObject, ObjectHeaders, S3Bucket } from './s3-bucket.js';
import { S3Download } from './s3-download.js';
import { type NotedExpiry, noteBytes, S3Expiries } from './s3-expiries.js';
import { objectHeaders, readNote, timeOf, toFacts } from './s3-facts.js';
import { keyOfName, maxNameBytes } from './s3-keys.js';
import { locator } from './s3-locator.js';
import type { S3Options } from './s3-options.js';
import { isTombstone, looksLikeTombstone, makeTombstone, mayBeOfToday, readTombstone } from './s3-tombstone.js';
import type {
  DeletedUpload,
  IncomingUpload,
  ListedUpload,
  ListOptions,
  Store,
  StoredFacts,
  StoredUpload,
} from './store.js';

const checkBytes = 4096;
const dayMs = 24 * 60 * 60 * 1000;

/** How many objects of a listing are asked about together. */
const headsAtOnce = 32;

/** A store in a bucket. */
export class S3Store implements Store {
  readonly #bucket: S3Bucket;
  readonly #options: S3Options;
  readonly #expiries: S3Expiries;
  readonly #replayWindowMs: number;
  readonly #uploaderIds: UploaderIds;
  /** The note of an expiry is longer than the upload's own name. */
  readonly #maxKeyBytes: number;

  constructor(bucket: S3Bucket, options: S3Options, replayWindowMs: number, uploaderIds: UploaderIds) {
    this.#bucket = bucket;
    this.#options = options;
    this.#expiries = new S3Expiries(bucket);
    this.#replayWindowMs = replayWindowMs;
    this.#uploaderIds = uploaderIds;
    this.#maxKeyBytes = maxNameBytes - Buffer.byteLength(options.path) - noteBytes;
  }

  async put(key: UploadKey, upload: IncomingUpload): Promise<void> {
    if (!this.#isShort(key))
      throw new FilerError('KEY_INVALID', `the key is longer than S3 takes, ${maxNameBytes} bytes`);
    const condition = await this.#conditionFor(await this.#bucket.head(key));
    const putId = randomUUID();
    const { dueAt = upload.expiresAt } = upload;
    const uploader = upload.uploader === undefined ? undefined : this.#uploaderIds.idOf(upload.uploader);
    if (dueAt !== undefined) await this.#expiries.note({ key, putId, dueAt });
    try {
      const headers = objectHeaders(key, { ...upload, uploader }, { putId, dueAt });
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
    const download = new S3Download(version.size, (range) => this.#bucket.read(key, version, range));
    return {
      ...facts,
      etag: version.etag,
      prepare: (range) => download.prepare(range),
      writeTo: (sink, range) => download.writeTo(sink, range),
      ...locator(this.#bucket, this.#options, key),
      close: () => download.close(),
    };
  }

  async delete(
    key: UploadKey,
    isMeant: (facts: StoredFacts) => boolean = () => true,
  ): Promise<DeletedUpload | undefined> {
    const head = await this.#headUpload(key);
    if (head === undefined) return undefined;
    const facts = toFacts(key, head);
    if (!isMeant(facts)) return undefined;
    const upload = { key, ...facts };
    if (this.#replayWindowMs === 0) await this.#bucket.remove(key);
    else await this.#bury(upload);
    const { putId, dueAt } = readNote(head);
    if (dueAt !== undefined && putId !== undefined) await this.#forget({ key, putId, dueAt });
    return upload;
  }

  /** Those whose noted expiry is due come first, with all that is known; of the others only what the key and a listing say. */
  async *list({ withUploaders = false }: ListOptions = {}): AsyncGenerator<ListedUpload> {
    const due = new Set<string>();
    for await (const expiry of this.#expiries.due(Date.now())) {
      const { key, putId } = expiry;
      const head = await this.#headUpload(key);
      if (head === undefined || readNote(head).putId !== putId) continue;
      due.add(key);
      yield { key, ...toFacts(key, head) };
    }
    for await (const objects of inBatches(this.#bucket.list(), headsAtOnce)) {
      const described = objects.map(async (object) => {
        const key = keyOfName(object.name);
        return key === undefined || due.has(key) ? undefined : this.#describe(key, object, withUploaders);
      });
      yield* (await Promise.all(described)).filter((upload) => upload !== undefined);
    }
  }

  async wasDeleted(key: UploadKey): Promise<boolean> {
    const head = await this.#head(key);
    return head !== undefined && isTombstone(head) && !this.#isOver(timeOf(head));
  }

  async *tidy(): AsyncGenerator<DeletedUpload> {
    // Of what was noted lately the upload may still be on its way.
    for await (const expiry of this.#expiries.due(Date.now() - dayMs)) {
      const head = await this.#bucket.head(expiry.key);
      if (head === undefined || readNote(head).putId !== expiry.putId) await this.#expiries.forget(expiry);
    }
    for await (const object of this.#bucket.list()) {
      const key = keyOfName(object.name);
      if (key === undefined || looksLikeTombstone(object) === false) continue;
      const isOver = this.#isOver(object.modifiedAt);
      if (!isOver && !mayBeOfToday(object)) continue;
      const head = await this.#bucket.head(key);
      if (head === undefined || !isTombstone(head)) continue;
      if (isOver) await this.#bucket.remove(key);
      else {
        const upload = readTombstone(key, head);
        if (upload !== undefined) yield upload;
      }
    }
  }

  async freeBytes(): Promise<number> {
    return Number.POSITIVE_INFINITY;
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

  /** The upload that a listed object is, `undefined` where it is a tombstone. */
  async #describe(key: UploadKey, object: ListedObject, withUploaders: boolean): Promise<ListedUpload | undefined> {
    const looks = looksLikeTombstone(object);
    if (looks === true && !this.#isOver(object.modifiedAt)) return undefined;
    const { size, modifiedAt } = object;
    const known = { key, ...factsOfKey(key), size, modifiedAt };
    if (looks === false && (!withUploaders || known.uploader !== undefined)) return known;
    const head = await this.#headUpload(key);
    return head === undefined ? undefined : { key, ...toFacts(key, head) };
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

  /** Whether a tombstone of that time (ms since the epoch) no longer counts. */
  #isOver(modifiedAt: number): boolean {
    return Date.now() - modifiedAt >= this.#replayWindowMs;
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
    if (this.#isOver(timeOf(head))) return isExclusive ? { IfMatch: etag } : {};
    throw new FilerError('KEY_TAKEN', 'an upload of this slot was deleted (replayWindow)');
  }

  /** Puts a tombstone into the place of an upload. */
  async #bury(upload: DeletedUpload): Promise<void> {
    const { body, headers } = makeTombstone(upload);
    await this.#bucket.write(upload.key, body, headers);
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
