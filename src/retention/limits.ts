import type { UploadKey } from '../upload/upload-key.js';
import type { QuotaTable } from './quotas.js';

/** How much may be stored; `undefined`: no such limit. */
export interface LimitSettings {
  /** Bytes of all uploads. */
  readonly maxStoreSize: number | undefined;
  /** Whether a full store evicts the oldest uploads. If not, it refuses new ones. */
  readonly evictsWhenFull: boolean;
  /** Bytes that must stay free on the filesystem. */
  readonly minFreeSpace: number;
  /** Bytes stored for each uploader. */
  readonly userQuota: number | undefined;
  /** Bytes that each uploader may send in 24 hours. */
  readonly dailyQuota: number | undefined;
  /** Other figures for some uploaders. */
  readonly quotas: readonly QuotaTable[];
}

/** An upload that asks for room. */
export interface PlannedUpload {
  readonly key: UploadKey;
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
  /** The table of quotas that its token names. */
  readonly quota?: string | undefined;
  /** How many of its bytes have arrived. The others still need space on the disk. */
  arrived(): number;
}

/** A deleted upload that is to be taken off the counts. */
export type ForgottenUpload = Pick<PlannedUpload, 'key' | 'size' | 'uploader'>;

/** The room that is held for a running upload. */
export interface Reservation {
  /**
   * Set if others have to be evicted for the upload: makes room for its first `arrived` bytes before they are stored;
   * resolves to how many bytes there is room for. Throws `STORE_FULL`, or `KEY_TAKEN` before it evicts anything.
   */
  readonly makeRoom: ((arrived: number) => Promise<number>) | undefined;
  /** Ends the reservation: the upload was stored, or it broke off after its client had sent so many bytes. */
  settle(isStored: boolean, sentBytes: number): void;
}

/** Decides whether there is room for an upload. */
export interface Limits {
  /**
   * Holds room for an upload until the reservation is settled. Throws `UPLOAD_RUNNING` at once if another upload of the same
   * key is running, `STORE_FULL`, `QUOTA_REACHED` if the uploader's quota has no room, or `STORE_BUSY`.
   */
  reserve(upload: PlannedUpload): Promise<Reservation>;
  /** Gives back the room of a deleted upload. */
  forget(upload: ForgottenUpload): void;
}
