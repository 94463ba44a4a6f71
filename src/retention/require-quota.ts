import { FilerError } from '../errors.js';
import { type ByteQuotas, nameFigure, type QuotaTable, quotasOf } from './quotas.js';
import type { RunningUploads } from './running-uploads.js';
import type { StoreCount } from './store-count.js';

/**
 * Throws `QUOTA_REACHED` if so many more bytes of an uploader, who has these ids and perhaps a table of quotas, would exceed a
 * quota.
 */
export function requireQuota(
  settings: ByteQuotas,
  count: StoreCount,
  uploads: RunningUploads,
  bytes: number,
  uploader: string,
  ids: readonly string[],
  table: QuotaTable | undefined,
): void {
  const { userQuota, dailyQuota } = quotasOf(settings, table);
  const running = uploads.plannedBy(ids);
  const stored = count.storedBy(ids) + running;
  if (userQuota !== undefined && stored + bytes > userQuota) {
    const name = nameFigure('userQuota', table);
    const found = `${stored} bytes are stored for ${uploader}, ${bytes} more would exceed ${name}, ${userQuota}`;
    throw new FilerError('QUOTA_REACHED', found);
  }
  if (dailyQuota === undefined) return;
  const sent = count.sentBy(ids);
  if (sent.bytes + running + bytes > dailyQuota) {
    const name = nameFigure('dailyQuota', table);
    const found = `${uploader} sent ${sent.bytes + running} bytes in 24 hours, ${bytes} more would exceed ${name}, ${dailyQuota}`;
    const retryAt = bytes > dailyQuota ? undefined : sent.lessAt;
    throw new FilerError('QUOTA_REACHED', found, { retryAt });
  }
}
