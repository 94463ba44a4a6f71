import { FilerError } from '../errors.js';
import type { LimitSettings } from './limits.js';
import type { RunningUploads } from './running-uploads.js';
import type { StoreCount } from './store-count.js';

/** Throws `QUOTA_REACHED` if so many more bytes of an uploader, who has these ids, would exceed a quota. */
export function requireQuota(
  { userQuota, dailyQuota }: LimitSettings,
  count: StoreCount,
  uploads: RunningUploads,
  bytes: number,
  uploader: string,
  ids: readonly string[],
): void {
  const running = uploads.plannedBy(ids);
  const stored = count.storedBy(ids) + running;
  if (userQuota !== undefined && stored + bytes > userQuota) {
    const found = `${stored} bytes are stored for ${uploader}, ${bytes} more would exceed userQuota, ${userQuota}`;
    throw new FilerError('QUOTA_REACHED', found);
  }
  if (dailyQuota === undefined) return;
  const sent = count.sentBy(ids);
  if (sent.bytes + running + bytes > dailyQuota) {
    const found = `${uploader} sent ${sent.bytes + running} bytes in 24 hours, ${bytes} more would exceed dailyQuota, ${dailyQuota}`;
    const retryAt = bytes > dailyQuota ? undefined : sent.lessAt;
    throw new FilerError('QUOTA_REACHED', found, { retryAt });
  }
}
