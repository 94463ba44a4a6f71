import type { UploadKey } from '../upload/upload-key.js';

/** How much may be stored; `undefined`: no such limit. */
export interface LimitSettings {
  /** Bytes of all uploads. */
  readonly maxStoreSize: number | undefined;
  /** Whether the oldest uploads go where there is no room for another one; else it is refused. */
  readonly evictsWhenFull: boolean;
  /** Bytes that must stay free on the filesystem. */
  readonly minFreeSpace: number;
  /** Bytes stored for each uploader. */
  readonly userQuota: number | undefined;
  /** Bytes that each uploader may send in 24 hours. */
  readonly dailyQuota: number | undefined;
}

/** An upload that is to be stored. */
export interface PlannedUpload {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** How many of its bytes have arrived so far; those that have not still need space on the disk. */
  arrived(): number;
}

/** What of an upload is taken off the counts when it was deleted. */
export type ForgottenUpload = Pick<PlannedUpload, 'key' | 'size' | 'uploader'>;

/** The room that is held for a running upload. */
export interface Reservation {
  /**
   * Where the upload was admitted because others may be evicted for it: makes room for its first `arrived` bytes, before
   * they are stored; resolves to how many there is room for now. Throws `STORE_FULL`, or `KEY_TAKEN` before anything goes.
   */
  readonly makeRoom: ((arrived: number) => Promise<number>) | undefined;
  /** Ends the reservation: the upload is stored now, or it broke off after its client sent so many bytes. */
  settle(isStored: boolean, sentBytes: number): void;
}

/** What may be stored at all. */
export interface Limits {
  /**
   * Holds room for an upload until the reservation is settled. Throws `UPLOAD_RUNNING` at once where one of the same key
   * is not settled, `STORE_FULL`, `QUOTA_REACHED` where it is the uploader who has no more room, or `STORE_BUSY`.
   */
  reserve(upload: PlannedUpload): Promise<Reservation>;
  /** Gives back the room of an upload that was deleted. */
  forget(upload: ForgottenUpload): void;
}
