import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StoreLimits } from '../../src/retention/store-limits.js';
import type { LimitSettings } from '../../src/upload/limits.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { ids, uploaderIds } from '../support/uploader-ids.js';

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
    uploaderIds: new UploaderIds(['mysecret', 'old-secret']),
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
    const context = { freeBytes: async () => 1e12, evict: async () => {}, uploaderIds, now: () => now };
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

  it('count all ids of an uploader who is named by a JID, whatever secret made them', async () => {
    const stored = Object.values(ids).map((uploader) => ({ size: 30, uploader }));
    const { limits } = limitsOf({ userQuota: 100 }, [...stored, { size: 5, uploader: 'Romeo@example.org/phone' }]);
    await limits.reserve({ size: 5, uploader: 'romeo@example.org' });
    const message = /^100 bytes are stored for romeo@example.org, 1 more/;
    await assert.rejects(limits.reserve({ size: 1, uploader: 'romeo@example.org' }), {
      code: 'QUOTA_REACHED',
      message,
    });
    await limits.reserve({ size: 100, uploader: 'juliet@example.org' });
    assert.deepEqual(
      (await limits.sentByHour('romeo@example.org')).map(({ size }) => size),
      [35, 30, 30],
    );
  });

  it('count the other ids of an uploader who is named by one, once the JID has asked', async () => {
    const stored = [{ size: 60, uploader: ids.ofEjabberd }];
    const { limits } = limitsOf({ userQuota: 100 }, stored);
    const settle = await limits.reserve({ size: 40, uploader: ids.ofMysecret });
    settle(false);
    // The slot is given to the JID, its upload names the id.
    (await limits.reserve({ size: 40, uploader: 'romeo@example.org' }))(false);
    await assert.rejects(limits.reserve({ size: 41, uploader: ids.ofMysecret }), { code: 'QUOTA_REACHED' });
    await limits.reserve({ size: 40, uploader: ids.ofMysecret });
    await assert.rejects(limits.reserve({ size: 1, uploader: ids.ofEjabberd }), { code: 'QUOTA_REACHED' });
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
