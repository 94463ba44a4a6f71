import type { Readable, Writable } from 'node:stream';
import type { UploadKey } from '../upload/upload-key.js';

/** What a store keeps of an upload beside its bytes. */
export interface UploadFacts {
  /** Bytes. */
  readonly size: number;
  /** A media type that may be sent as a header. */
  readonly contentType: string;
  /** When it goes, ms since the epoch. */
  readonly expiresAt?: number | undefined;
  /** The uploader's bare JID or id. */
  readonly uploader?: string | undefined;
}

/** An upload that is on its way into the store. */
export interface IncomingUpload extends UploadFacts {
  /** Whether the client has still to send some of the bytes, so that it is worth while to find out first whether the key is taken. */
  readonly isAwaited?: boolean;
  /** Whether room is made for the bytes while they arrive, so that the free space of now does not count. */
  readonly isRoomMade?: boolean;
  /** Called once, when the store is ready to take the bytes. Where it fails with a FilerError, `put` throws that one. */
  openBody(): Readable;
}

/** First and last byte of a part, both included, counted from 0 (RFC 9110 §14.1.2). */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What is known of an upload that lies in the store. */
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
  /** Whether these are all facts. If not, the type is a guess by the key, and expiry and uploader are missing. */
  readonly isComplete: boolean;
}

/** How long uploads stay, for stores that write it beside them. Times are in ms since the epoch. */
export interface Lifetimes {
  /** Until when the upload is sure to stay, for caches that fetch it from the store; `undefined`: for ever. */
  keptUntil(upload: KeyedFacts): number | undefined;
  /** When the upload expires, if its key, size and age alone do not tell so; else `undefined`. */
  dueAt(upload: KeyedFacts): number | undefined;
}

/** What another server is to say of the bytes that it sends (RFC 9110 §8.3, RFC 6266, RFC 9111 §5.2). */
export interface ResponseHeaders {
  readonly contentType: string;
  /** `undefined`: the browser may show it in place. */
  readonly contentDisposition: string | undefined;
  readonly cacheControl: string;
}

/** An upload whose bytes have to be fetched from elsewhere before they are written. */
export interface Preparing {
  /**
   * Begins to fetch the bytes (or a part of them) that `writeTo` then writes, so that a failure can still be answered with a
   * status. Throws as `Store.open` does, and `UPLOAD_REPLACED` where the upload is gone or another one is there.
   */
  prepare(range?: ByteRange): Promise<void>;
}

/** An upload that clients fetch from another server. */
export interface Locating {
  /**
   * The URL for clients, with these headers as far as that server can be told. It is valid for minutes, and not beyond
   * `expiry` (ms since the epoch). Throws as `Store.open` does.
   */
  locate(headers: ResponseHeaders, expiry: number | undefined): Promise<string>;
}

/** An upload that lies in the store, held open: it must be written or closed, once. */
export interface StoredUpload extends StoredFacts, Partial<Preparing & Locating> {
  /** A strong entity tag with its quotes (RFC 9110 §8.8.3). */
  readonly etag: string;
  /**
   * Writes the bytes (or a part of them), ends the sink and closes the upload; rejects if the sink closes before.
   * A chunk is the sink's only until its write is done, as with a socket: its memory is used again.
   */
  writeTo(sink: Writable, range?: ByteRange): Promise<void>;
  /** Closes the upload without reading it. */
  close(): void;
}

/**
 * What may happen to a tombstone: it blocks its slot, a PUT may replace it, nobody may touch it, or a sweep removes it.
 * Stores ask for the phase by the tombstone's age in ms. Deletions leave a tombstone where one of age 0 blocks its slot.
 */
export type TombstonePhase = 'blocks' | 'replaceable' | 'frozen' | 'removable';

/** An upload that was deleted. */
export interface DeletedUpload {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** When it was uploaded, ms since the epoch. */
  readonly modifiedAt: number;
}

/** Something in the store that cannot be read, or does not say what it should. */
export interface UnreadableEntry {
  /** Its absolute path, or the name of the object. */
  readonly path: string;
  /** One line. */
  readonly reason: string;
}

/** Takes each entry that is passed over because it cannot be read. An entry may be reported several times. */
export type ReportUnreadable = (entry: UnreadableEntry) => void;

/** What `tidy` is told. */
export interface TidyOptions {
  readonly onUnreadable?: ReportUnreadable | undefined;
}

/** What a listing is for. */
export interface ListOptions extends TidyOptions {
  /** Whether the uploader is needed of each upload, also where finding it takes a request for each. */
  readonly withUploaders?: boolean;
}

/** Where uploads lie. Each is there whole or not at all, and is never overwritten. */
export interface Store {
  /**
   * Resolves when the upload can be opened, and with a durable store survives a power failure.
   * Throws `KEY_TAKEN`, `BODY_INCOMPLETE` (body ended early or ran over), `STORE_FULL`, `STORE_BUSY` (try again later),
   * `KEY_INVALID` (the store cannot hold such a name), `SIZE_REFUSED` (it holds nothing so large), `STORE_REFUSED` or
   * `STORE_FAILED`; then nothing is left of it and the key is free.
   */
  put(key: UploadKey, upload: IncomingUpload): Promise<void>;
  /** The upload, or `undefined` where there is none. Throws `STORE_BUSY`, `STORE_REFUSED` or `STORE_FAILED`. */
  open(key: UploadKey): Promise<StoredUpload | undefined>;
  /**
   * Removes the upload and leaves a tombstone that blocks its slot; resolves to what was removed, or `undefined` where there
   * was no upload. Throws as `open` does.
   */
  delete(key: UploadKey): Promise<DeletedUpload | undefined>;
  /**
   * Every upload, in no order and never all in memory; one that comes or goes meanwhile may be in it or not. A store whose
   * listing lacks facts gives those of every upload that is due by `Lifetimes`.
   * It passes over each entry that it cannot read, reports it, and goes on; an upload without a readable note of its
   * facts is listed with what its key says. Throws as `open` does, only where the store as a whole cannot be listed.
   */
  list(options?: ListOptions): AsyncIterable<ListedUpload>;
}

/** A store that remembers which uploads were deleted. */
export interface Tombstones {
  /** Whether an upload of this key was deleted and its tombstone blocks the slot. Throws as `Store.open` does. */
  wasDeleted(key: UploadKey): Promise<boolean>;
}

/** A store that says whether it takes uploads. */
export interface Probing {
  /** Writes as an upload would and leaves nothing. Throws what `Store.put` throws where the store takes no uploads now. */
  check(): Promise<void>;
}

/** A store with bookkeeping that outlives its uploads. */
export interface Tidying {
  /**
   * Removes what is left of uploads that are gone and no longer counts; gives the deleted uploads of known uploaders that
   * were less than a day old. It passes over each entry that it cannot read, reports it, and goes on.
   * Throws as `Store.open` does where the store as a whole does not answer.
   */
  tidy(options?: TidyOptions): AsyncIterable<DeletedUpload>;
}

/** A store of limited size. */
export interface FreeSpace {
  /** Bytes that can still be stored. Throws as `Store.open` does. */
  freeBytes(): Promise<number>;
}

/** What the program asks of the configured store. */
export type ServedStore = Store & Tombstones & Probing & Tidying & Partial<FreeSpace>;
