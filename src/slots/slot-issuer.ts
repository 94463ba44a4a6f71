import type { UploadKey } from '../upload/upload-key.js';

/** An upload that was checked and may happen. */
export interface PlannedSlot {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  /** What the client announced, or must send; `undefined`: it may send any. */
  readonly contentType: string | undefined;
  /** The id of the uploader. */
  readonly uploader: string;
  /** When the client wants it gone, ms since the epoch; `undefined`: it does not say. */
  readonly expiresAt: number | undefined;
}

/** What a client is given (XEP-0363 §5): where it may PUT the file, and where it can be fetched from then on. */
export interface IssuedSlot {
  readonly putUrl: string;
  readonly getUrl: string;
}

/** Who makes the URLs of slots. */
export interface SlotIssuer {
  /** Whether uploads go past this program, so that one counts as stored when its slot is given. */
  readonly isUploadUnseen: boolean;
  /** The slot for an upload; `now` is in ms since the epoch. Throws a FilerError. */
  issue(slot: PlannedSlot, now: number): Promise<IssuedSlot>;
}
