import type { UploadKey } from '../upload/upload-key.js';

/** What the head of a PUT says of the upload, before any of it is proven. */
export interface AnnouncedUpload {
  readonly key: UploadKey;
  /** Bytes, from Content-Length. */
  readonly size: number;
  /** The Content-Type header as Node hands it over (latin1), `''` where there is none. */
  readonly contentType: string;
}

/** What an issuer makes a token for. */
export interface Slot {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  /** Signed verbatim, in UTF-8; `application/octet-stream` where the client named none. */
  readonly contentType: string;
}

/** What a valid token says of the upload that it allows. */
export interface Grant {
  /** The signed type, or the likeliest one where the scheme signs none; not yet safe as a header. */
  readonly contentType: string;
  /** When the file should go, ms since the epoch. */
  readonly expiresAt?: number | undefined;
  /** The uploader's bare JID or id (upload/uploader.ts). */
  readonly uploader?: string | undefined;
}

/** How tokens are checked. */
export interface TokenSettings {
  /** Any of these may have signed. */
  readonly secrets: readonly string[];
  /** Whether a PUT must send exactly the type that its slot was signed for. */
  readonly strictContentType: boolean;
}
