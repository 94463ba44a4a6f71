import { isLimit } from '../units.js';
import type { ByteQuotas } from './quotas.js';
import type { RunningUploads } from './running-uploads.js';
import type { StoreCount } from './store-count.js';

/** Bytes that an uploader may still have stored or may still send today; `undefined`: there is no such quota. */
export interface QuotaLeft {
  readonly stored: number | undefined;
  readonly today: number | undefined;
}

/** What the quotas leave to an uploader, who has these ids. */
export function quotaLeft(
  { userQuota, dailyQuota }: ByteQuotas,
  count: StoreCount,
  uploads: RunningUploads,
  ids: readonly string[],
): QuotaLeft {
  const running = uploads.plannedBy(ids);
  const rest = (quota: number | undefined, used: number) =>
    isLimit(quota) ? Math.max(0, quota - used - running) : undefined;
  return { stored: rest(userQuota, count.storedBy(ids)), today: rest(dailyQuota, count.sentBy(ids).bytes) };
}
