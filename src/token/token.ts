import type { Purpose } from '../upload/purpose.js';
import type { UploadKey } from '../upload/upload-key.js';

/** What the head of a PUT says about the upload, before its token is verified. */
export interface AnnouncedUpload {
  readonly key: UploadKey;
  /** Bytes, from Content-Length. */
  readonly size: number;
  /** The Content-Type header in latin1, as Node gives it, or `''`. */
  readonly contentType: string;
}

/** The upload that an issuer signs a token for. */
export interface Slot {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  /** Signed verbatim, in UTF-8; `application/octet-stream` if the client named none. */
  readonly contentType: string;
}

/** What a valid token says about the upload that it allows. */
export interface Grant {
  /** The signed type, or the most likely one if the scheme does not sign it. Not yet safe as a header. */
  readonly contentType: string;
  /** When the file should expire, ms since the epoch. */
  readonly expiresAt?: number | undefined;
  /** The uploader's bare JID or id (upload/uploader.ts). */
  readonly uploader?: string | undefined;
  /** `undefined`: a message. */
  readonly purpose?: Purpose | undefined;
  /** The table of quotas that counts for the uploader, as retention/quotas.ts names it. */
  readonly quota?: string | undefined;
}

/** The settings for verifying tokens. */
export interface TokenSettings {
  /** A token may be signed with any of these. */
  readonly secrets: readonly string[];
  /** The domain of ejabberd's users, if their names are in the keys. */
  readonly jidInUrlDomain?: string | undefined;
  /** Whether the PUT must send exactly the type that was signed. */
  readonly strictContentType: boolean;
}
