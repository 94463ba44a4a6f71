import type { QuotaTable } from '../../src/retention/quotas.js';

/** A table `[[quota]]` with these figures. */
export function quotaTable(match: string, figures: Partial<QuotaTable>): QuotaTable {
  const none = { userQuota: undefined, dailyQuota: undefined, maxFileSize: undefined, requestsPerMinute: undefined };
  return { match, ...none, ...figures };
}
