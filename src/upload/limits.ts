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

/** Whether there is anything that a reservation could be refused for. */
export function hasLimits({ maxStoreSize, minFreeSpace, userQuota, dailyQuota }: LimitSettings): boolean {
  return (maxStoreSize ?? userQuota ?? dailyQuota) !== undefined || minFreeSpace > 0;
}

/** An upload that is to be stored. */
export interface PlannedUpload {
  /** Bytes. */
  readonly size: number;
  readonly uploader?: string | undefined;
}

/** Ends a reservation: the upload is stored now, or it is not. */
export type Settle = (isStored: boolean) => void;

/** What may be stored at all. */
export interface Limits {
  /**
   * Makes room for an upload and holds it until the reservation is settled.
   * Throws `STORE_FULL`, or `QUOTA_REACHED` where it is the uploader who has no more room.
   */
  reserve(upload: PlannedUpload): Promise<Settle>;
}

/** Lets everything in. */
export const unlimited: Limits = { reserve: async () => () => undefined };
