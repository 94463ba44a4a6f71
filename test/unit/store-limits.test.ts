import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StoreLimits } from '../../src/retention/store-limits.js';
import type { LimitSettings } from '../../src/upload/limits.js';

const now = Date.UTC(2026, 10, 22, 12, 30);

function limitsOf(settings: Partial<LimitSettings>, stored: { size: number; uploader?: string }[] = [], free = 1e12) {
  const evictions: number[] = [];
  const all: LimitSettings = {
    maxStoreSize: undefined,
    evictsWhenFull: false,
    minFreeSpace: 0,
    userQuota: undefined,
    dailyQuota: undefined,
    ...settings,
  };
  const limits = new StoreLimits(all, {
    freeBytes: async () => free,
    evict: async (bytes) => {
      evictions.push(bytes);
      limits.forget({ size: bytes, modifiedAt: now });
    },
    now: () => now,
  });
  limits.beginCount();
  for (const upload of stored) limits.count({ modifiedAt: now, ...upload });
  limits.endCount();
  return { limits, evictions };
}

describe('maxStoreSize', () => {
  it('is reached by running uploads, and no further', async () => {
    const { limits } = limitsOf({ maxStoreSize: 100 }, [{ size: 30 }]);
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => limits.reserve({ size: 20 })));
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(taken.length, 3);
    for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'STORE_FULL');
    taken[0]?.(false);
    taken[1]?.(true);
    const settle = await limits.reserve({ size: 20 });
    settle(true);
    await assert.rejects(limits.reserve({ size: 11 }), { code: 'STORE_FULL', message: /maxStoreSize/ });
  });

  it('evicts what is missing where that is wanted, but nothing for what could never fit', async () => {
    const { limits, evictions } = limitsOf({ maxStoreSize: 100, evictsWhenFull: true }, [{ size: 90 }]);
    await limits.reserve({ size: 30 });
    assert.deepEqual(evictions, [20]);
    await assert.rejects(limits.reserve({ size: 101 }), { code: 'STORE_FULL' });
    assert.deepEqual(evictions, [20]);
  });

  it('waits for the first count', async () => {
    const settings = { maxStoreSize: 100, evictsWhenFull: false, minFreeSpace: 0 };
    const context = { freeBytes: async () => 1e12, evict: async () => {}, now: () => now };
    const limits = new StoreLimits({ ...settings, userQuota: undefined, dailyQuota: undefined }, context);
    const reservation = limits.reserve({ size: 20 });
    limits.beginCount();
    limits.count({ size: 90, modifiedAt: now });
    limits.endCount();
    await assert.rejects(reservation, { code: 'STORE_FULL' });
  });

  it('counts what comes during a count', async () => {
    const { limits } = limitsOf({ maxStoreSize: 100 });
    limits.beginCount();
    const settle = await limits.reserve({ size: 60 });
    settle(true);
    limits.endCount();
    await assert.rejects(limits.reserve({ size: 60 }), { code: 'STORE_FULL' });
  });
});

describe('minFreeSpace', () => {
  it('is kept free of running uploads too', async () => {
    const { limits } = limitsOf({ minFreeSpace: 100 }, [], 200);
    const settle = await limits.reserve({ size: 60 });
    await assert.rejects(limits.reserve({ size: 60 }), { code: 'STORE_FULL', message: /minFreeSpace/ });
    settle(false);
    await limits.reserve({ size: 100 });
  });
});

describe('quotas', () => {
  it('are each uploader their own', async () => {
    const { limits } = limitsOf({ userQuota: 100 }, [{ size: 90, uploader: 'a' }]);
    await assert.rejects(limits.reserve({ size: 20, uploader: 'a' }), { code: 'QUOTA_REACHED', retryAt: undefined });
    await limits.reserve({ size: 100, uploader: 'b' });
    await assert.rejects(limits.reserve({ size: 1, uploader: 'b' }), {
      code: 'QUOTA_REACHED',
      message: /for b.*userQuota/,
    });
    await limits.reserve({ size: 1000 });
  });

  it('of a day tell when there is room again, except for what is too large for any day', async () => {
    const { limits } = limitsOf({ dailyQuota: 100 }, [{ size: 90, uploader: 'a' }]);
    const dayLater = Date.UTC(2026, 10, 23, 12);
    await assert.rejects(limits.reserve({ size: 20, uploader: 'a' }), { code: 'QUOTA_REACHED', retryAt: dayLater });
    await assert.rejects(limits.reserve({ size: 101, uploader: 'a' }), { code: 'QUOTA_REACHED', retryAt: undefined });
  });

  it('of a day count what was deleted', async () => {
    const { limits } = limitsOf({ dailyQuota: 100, userQuota: 100 });
    limits.beginCount();
    limits.countDeleted({ size: 90, uploader: 'a', modifiedAt: now });
    limits.endCount();
    await assert.rejects(limits.reserve({ size: 20, uploader: 'a' }), { message: /dailyQuota/ });
  });
});
