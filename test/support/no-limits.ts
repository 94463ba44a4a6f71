import type { LimitSettings } from '../../src/retention/limits.js';

/** Settings without any limit. */
export const noLimits: LimitSettings = {
  maxStoreSize: undefined,
  evictsWhenFull: false,
  minFreeSpace: 0,
  userQuota: undefined,
  dailyQuota: undefined,
  quotas: [],
};
