import type { Purpose } from '../upload/purpose.js';
import type { UploadKey } from '../upload/upload-key.js';

/** An upload that was checked against the settings. */
export interface PlannedSlot {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  /** The type that the client must send; `undefined`: any. */
  readonly contentType: string | undefined;
  /** The uploader's id. */
  readonly uploader: string;
  /** `undefined`: a message. */
  readonly purpose?: Purpose | undefined;
  /** How the token names the uploader's table of quotas. */
  readonly quota?: string | undefined;
  /** The expiry that the client asked for, ms since the epoch. */
  readonly expiresAt: number | undefined;
}

/** The two URLs of a slot (XEP-0363 §5): one for the PUT of the file, one for downloads. */
export interface IssuedSlot {
  readonly putUrl: string;
  readonly getUrl: string;
}

/** Makes the URLs of slots. */
export interface SlotIssuer {
  /** Whether uploads bypass prosody-filer. Then an upload counts as stored as soon as its slot is given. */
  readonly isUploadUnseen: boolean;
  /** Issues the slot for an upload. `now` is in ms since the epoch. Throws a FilerError. */
  issue(slot: PlannedSlot, now: number): Promise<IssuedSlot>;
}
