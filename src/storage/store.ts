import type { Readable, Writable } from 'node:stream';
import type { Purpose } from '../upload/purpose.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { UploaderFilter } from '../upload/uploader.js';

/** What a store keeps of an upload beside its bytes. */
export interface UploadFacts {
  /** Bytes. */
  readonly size: number;
  /** A media type that may be sent as a header. */
  readonly contentType: string;
  /** The expiry that its token names, ms since the epoch. */
  readonly expiresAt?: number | undefined;
  /** The uploader's bare JID or id. */
  readonly uploader?: string | undefined;
  /** `undefined`: a message. */
  readonly purpose?: Purpose | undefined;
}

/** An upload on its way into the store. */
export interface IncomingUpload extends UploadFacts {
  /** Whether bytes are still to come from the client. If so, the store finds out first whether the key is taken. */
  readonly isAwaited?: boolean;
  /** Whether others are evicted while the bytes arrive. If so, the free space of now does not matter. */
  readonly isRoomMade?: boolean;
  /**
   * Called once, when the store is ready for the bytes. If the body fails with a FilerError, `put` throws that error. The
   * body's chunks belong to the store, which may free their memory.
   */
  openBody(): Readable;
}

/** First and last byte of a part, both included, counted from 0 (RFC 9110 §14.1.2). */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The facts of an upload in the store. */
export interface StoredFacts extends UploadFacts {
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

/** The facts of an upload with its key. */
export interface KeyedFacts extends StoredFacts {
  readonly key: UploadKey;
}

/** An upload as a listing of the store gives it. */
export interface ListedUpload extends KeyedFacts {
  /** Whether these are all facts. If not, the type is a guess by the key, and expiry, uploader and purpose may be missing. */
  readonly isComplete: boolean;
}

/** How long uploads stay, for stores that write it beside them. Times are in ms since the epoch. */
export interface Lifetimes {
  /** Until when the upload is sure to stay, for caches of clients that fetch it from the store itself; `undefined`: for ever. */
  keptUntil(upload: KeyedFacts): number | undefined;
  /** When the upload expires, if its type, purpose or token decides that; `undefined` if key, size and age do, or it never expires. */
  dueAt(upload: KeyedFacts): number | undefined;
}

/** Headers that another server adds to an upload that clients fetch from it (RFC 9110 §8.3, RFC 6266, RFC 9111 §5.2). */
export interface ResponseHeaders {
  readonly contentType: string;
  /** `undefined`: browsers may show the upload in the page. */
  readonly contentDisposition: string | undefined;
  readonly cacheControl: string;
}

/** An upload whose bytes have to be fetched from elsewhere before they are written. */
export interface Preparing {
  /**
   * Begins to fetch the bytes (or a part of them) that `writeTo` then writes, so that a failure can still be answered with a
   * status. Throws as `Store.open` does, and `UPLOAD_REPLACED` if the upload was deleted or replaced meanwhile.
   */
  prepare(range?: ByteRange): Promise<void>;
}

/** An upload that clients fetch from another server. */
export interface Locating {
  /**
   * The URL for clients, with these headers as far as that server supports them. It is valid for minutes, and not beyond
   * `expiry` (ms since the epoch). Throws as `Store.open` does.
   */
  locate(headers: ResponseHeaders, expiry: number | undefined): Promise<string>;
}

/** An upload that is held open: it must be written or closed, once. */
export interface StoredUpload extends StoredFacts, Partial<Preparing & Locating> {
  /** A strong entity tag with its quotes (RFC 9110 §8.8.3). */
  readonly etag: string;
  /**
   * Writes the bytes (or a part of them), ends the sink and closes the upload; rejects if the sink closes before.
   * The memory of a chunk is used again once the sink has written it, so the sink must not keep chunks.
   */
  writeTo(sink: Writable, range?: ByteRange): Promise<void>;
  /** Closes the upload without reading it. */
  close(): void;
}

/**
 * What may happen to a tombstone: it blocks its slot, a PUT may replace it, nobody may touch it, or a sweep removes it.
 * Stores ask for the phase by the tombstone's age in ms. If one of age 0 blocks its slot, deletions leave tombstones.
 */
export type TombstonePhase = 'blocks' | 'replaceable' | 'frozen' | 'removable';

/** An upload that was deleted. */
export interface DeletedUpload {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** The time of the upload, ms since the epoch. */
  readonly modifiedAt: number;
}

/** A file, folder or object in the store that cannot be read, or has a name or content that makes no sense. */
export interface UnreadableEntry {
  /** Its absolute path, or the name of the object. */
  readonly path: string;
  /** One line. */
  readonly reason: string;
}

/** Takes each entry that is passed over because it cannot be read. An entry may be reported several times. */
export type ReportUnreadable = (entry: UnreadableEntry) => void;

/** The options of `tidy`. */
export interface TidyOptions {
  readonly onUnreadable?: ReportUnreadable | undefined;
}

/** The options of `delete`. */
export interface DeleteOptions {
  /**
   * Whether the caller deletes the upload again if a power failure brings it back, so that nothing needs to be flushed. Not for
   * a deletion that somebody is told of.
   */
  readonly isRepeated?: boolean;
}

/** The options of `list`. */
export interface ListOptions extends TidyOptions {
  /** Whether each upload must come with its uploader, even if finding it takes a request for each. */
  readonly withUploaders?: boolean;
  /**
   * Only the uploads of this uploader, each with its uploader. They are found without a walk over all uploads, except for those
   * in a bucket whose keys name no uploader: for each of these, the store is asked.
   */
  readonly of?: UploaderFilter | undefined;
  /** Ends the listing early. */
  readonly signal?: AbortSignal | undefined;
}

/** Keeps uploads. Each is there completely or not at all, and is never overwritten. */
export interface Store {
  /**
   * Stores an upload. When it resolves, the upload can be opened, and in a durable store it survives a power failure.
   * Throws `KEY_TAKEN`, `BODY_INCOMPLETE` (the body ended early or ran over), `STORE_FULL`, `STORE_BUSY` (try again later),
   * `NAME_TOO_LONG` (the store cannot hold such a name), `SIZE_REFUSED` (the store cannot hold an upload of this size),
   * `STORE_REFUSED` or `STORE_FAILED`; then nothing is left of the upload and its key is free.
   */
  put(key: UploadKey, upload: IncomingUpload): Promise<void>;
  /** The upload; `undefined` if it does not exist. Throws `STORE_BUSY`, `STORE_REFUSED` or `STORE_FAILED`. */
  open(key: UploadKey): Promise<StoredUpload | undefined>;
  /**
   * Deletes an upload and leaves a tombstone that blocks its slot; resolves to the deleted upload, or `undefined` if there
   * was none. In a durable store, the upload is then still gone after a power failure. Throws as `open` does.
   */
  delete(key: UploadKey, options?: DeleteOptions): Promise<DeletedUpload | undefined>;
  /**
   * Lists every upload, in no order and in bounded memory. An upload that comes or goes meanwhile may be in it or not. A store
   * whose listing lacks facts gives all facts at least of the uploads that are due by `Lifetimes`.
   * It reports each entry that it cannot read, passes over it and goes on. If only an upload's sidecar cannot be read, the
   * upload is listed with the facts that its key tells. Throws as `open` does, but only if the store as a whole cannot be
   * listed.
   */
  list(options?: ListOptions): AsyncIterable<ListedUpload>;
}

/** A store that remembers deleted uploads. */
export interface Tombstones {
  /** Whether an upload of this key was deleted and its tombstone blocks the slot. Throws as `Store.open` does. */
  wasDeleted(key: UploadKey): Promise<boolean>;
}

/** A store that can say whether it takes uploads. */
export interface Probing {
  /** Writes as an upload would, and leaves nothing. If the store takes no uploads now, throws what `Store.put` would throw. */
  check(): Promise<void>;
}

/** A store with bookkeeping that outlives its uploads. */
export interface Tidying {
  /**
   * Removes bookkeeping that no longer counts, of uploads that are gone. Gives those deleted uploads whose uploader is known
   * and that were less than a day old. It reports each entry that it cannot read, passes over it and goes on.
   * Throws as `Store.open` does, if the store as a whole does not answer.
   */
  tidy(options?: TidyOptions): AsyncIterable<DeletedUpload>;
}

/** A store of limited size. */
export interface FreeSpace {
  /** Bytes that can still be stored. Throws as `Store.open` does. */
  freeBytes(): Promise<number>;
}

/** What the program needs of the configured store. */
export type ServedStore = Store & Tombstones & Probing & Tidying & Partial<FreeSpace>;
