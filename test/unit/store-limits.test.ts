import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LimitSettings, PlannedUpload } from '../../src/retention/limits.js';
import { StoreLimits } from '../../src/retention/store-limits.js';
import { unlimited } from '../../src/units.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { noLimits } from '../support/no-limits.js';
import { quotaTable } from '../support/quota-table.js';
import { key } from '../support/store-contract.js';
import { ids, uploaderIds } from '../support/uploader-ids.js';

const now = Date.UTC(2026, 10, 22, 12, 30);
const kB = 1000;
const MB = 1000 * kB;
const GB = 1000 * MB;

interface Stored {
  readonly size: number;
  readonly uploader?: string;
}

let keys = 0;

/** An upload of a new slot. No byte of it has arrived. */
function planned(size: number, different: Partial<PlannedUpload> = {}): PlannedUpload {
  keys += 1;
  return { key: key(`s${keys}/f`), size, arrived: () => 0, ...different };
}

/** Limits of a store whose uploads may be evicted, except for the first `young` ones. */
function limitsOf(settings: Partial<LimitSettings>, stored: Stored[] = [], { free = 1e12, young = 0 } = {}) {
  const disk = { free, taken: new Set<string>() };
  const clock = { now };
  const evictions: number[] = [];
  const left = stored.slice(young).map((upload) => ({ ...upload, key: planned(0).key, modifiedAt: now }));
  const others = stored.slice(0, young).map((upload) => ({ ...upload, key: planned(0).key, modifiedAt: now }));
  const limits: StoreLimits = new StoreLimits(
    { ...noLimits, ...settings },
    {
      freeBytes: async () => disk.free,
      isTaken: async (asked) => disk.taken.has(asked),
      evictableBytes: () => left.reduce((sum, { size }) => sum + size, 0),
      dropEvictable: () => undefined,
      evict: async (bytes, isWanted) => {
        let freed = 0;
        while (freed < bytes && isWanted()) {
          const upload = left.shift();
          if (upload === undefined) break;
          freed += upload.size;
          disk.free += upload.size;
          limits.forget(upload);
        }
        evictions.push(freed);
        return freed;
      },
      uploaderIds: new UploaderIds(['mysecret', 'old-secret']),
      now: () => clock.now,
    },
  );
  limits.beginCount();
  for (const upload of [...left, ...others]) limits.count(upload);
  limits.endCount();
  return { limits, evictions, disk, clock };
}

describe('an upload of a slot', () => {
  it('is refused at once while another upload of the slot is running, and admitted after that', async () => {
    const { limits } = limitsOf({});
    const upload = planned(10);
    for (const isStored of [false, true, false]) {
      const { settle } = await limits.reserve(upload);
      await assert.rejects(limits.reserve(upload), { code: 'UPLOAD_RUNNING' });
      await limits.reserve(planned(10));
      settle(isStored, 0);
    }
  });

  it('runs once if several wait for the first count, and may try again if it was refused', async () => {
    const { limits } = limitsOf({ maxStoreSize: MB });
    const upload = planned(2 * MB);
    for (let count = 0; count < 2; count += 1) await assert.rejects(limits.reserve(upload), { code: 'STORE_FULL' });
    const small = planned(10 * kB, { key: upload.key });
    const results = await Promise.allSettled([limits.reserve(small), limits.reserve(small)]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });
});

describe('maxStoreSize', () => {
  it('may be reached by running uploads, but not exceeded', async () => {
    const { limits } = limitsOf({ maxStoreSize: 100 * kB }, [{ size: 30 * kB }]);
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => limits.reserve(planned(20 * kB))));
    const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.equal(taken.length, 3);
    for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'STORE_FULL');
    taken[0]?.settle(false, 0);
    taken[1]?.settle(true, 0);
    const { settle, makeRoom } = await limits.reserve(planned(20 * kB));
    assert.equal(makeRoom, undefined);
    settle(true, 0);
    await assert.rejects(limits.reserve(planned(11 * kB)), { code: 'STORE_FULL', message: /maxStoreSize/ });
  });

  it('counts an empty file as 4 KiB', async () => {
    const { limits } = limitsOf({ maxStoreSize: 10_000 });
    for (let count = 0; count < 2; count += 1) (await limits.reserve(planned(0))).settle(true, 0);
    await assert.rejects(limits.reserve(planned(0)), {
      message: '0 bytes, counted as 4096, are 2288 more than maxStoreSize and minFreeSpace leave room for',
    });
  });

  it('waits for the first count', async () => {
    const context = {
      freeBytes: async () => 1e12,
      isTaken: async () => false,
      evictableBytes: () => 0,
      dropEvictable: () => undefined,
      evict: async () => 0,
      uploaderIds,
      now: () => now,
    };
    const limits = new StoreLimits({ ...noLimits, maxStoreSize: 100 * kB }, context);
    const reservation = limits.reserve(planned(20 * kB));
    limits.beginCount();
    limits.count({ key: key('s/f'), size: 90 * kB, uploader: ids.ofMysecret, modifiedAt: now });
    assert.deepEqual([limits.usedBytes, limits.largestUploaders(1)], [undefined, undefined]);
    limits.endCount();
    assert.deepEqual(
      [limits.usedBytes, limits.largestUploaders(1)],
      [90 * kB, [{ id: ids.ofMysecret, bytes: 90 * kB }]],
    );
    await assert.rejects(reservation, { code: 'STORE_FULL' });
  });

  it('counts an upload that comes during a sweep once, whether the sweep finds it or not', async () => {
    for (const isFound of [true, false]) {
      const { limits } = limitsOf({ maxStoreSize: 100 * kB });
      limits.beginCount();
      const upload = planned(60 * kB);
      (await limits.reserve(upload)).settle(true, 0);
      if (isFound) limits.count({ ...upload, modifiedAt: now });
      limits.endCount();
      await assert.rejects(limits.reserve(planned(41 * kB)), { code: 'STORE_FULL' });
      await limits.reserve(planned(40 * kB));
    }
  });

  it('counts an upload once if the sweep finds it before it has ended', async () => {
    for (const isOverBefore of [true, false]) {
      const { limits } = limitsOf({ maxStoreSize: 100 * kB });
      const upload = planned(60 * kB);
      const { settle } = await limits.reserve(upload);
      limits.beginCount();
      limits.count({ ...upload, modifiedAt: now });
      if (isOverBefore) limits.endCount();
      settle(true, 0);
      if (!isOverBefore) limits.endCount();
      await assert.rejects(limits.reserve(planned(41 * kB)), { code: 'STORE_FULL' });
      await limits.reserve(planned(40 * kB));
    }
  });

  it('counts an upload that the sweep finds while another one tries its slot', async () => {
    for (const isOverBefore of [true, false]) {
      const { limits } = limitsOf({ maxStoreSize: 100 * kB });
      const upload = planned(30 * kB);
      const { settle } = await limits.reserve(upload);
      limits.beginCount();
      limits.count({ ...upload, size: 60 * kB, modifiedAt: now });
      if (isOverBefore) limits.endCount();
      settle(false, 0);
      if (!isOverBefore) limits.endCount();
      await assert.rejects(limits.reserve(planned(41 * kB)), { code: 'STORE_FULL' });
      await limits.reserve(planned(40 * kB));
    }
  });

  it('has room again after a deletion', async () => {
    const { limits } = limitsOf({ maxStoreSize: 100 * kB, userQuota: 90 * kB }, []);
    const upload = planned(90 * kB, { uploader: 'a' });
    (await limits.reserve(upload)).settle(true, 0);
    await assert.rejects(limits.reserve(planned(90 * kB, { uploader: 'a' })), { code: 'QUOTA_REACHED' });
    limits.forget(upload);
    await limits.reserve(planned(90 * kB, { uploader: 'a' }));
  });

  it('has room for a deleted upload once, although two requests have deleted it', async () => {
    const { limits } = limitsOf({ maxStoreSize: 100 * kB });
    const upload = planned(40 * kB);
    for (const { key, size, arrived } of [upload, planned(60 * kB), upload]) {
      (await limits.reserve({ key, size, arrived })).settle(true, 0);
      for (let count = 0; key === upload.key && count < 2; count += 1) limits.forget(upload);
    }
    await assert.rejects(limits.reserve(planned(41 * kB)), { code: 'STORE_FULL' });
    await limits.reserve(planned(40 * kB));
  });
});

describe('eviction', () => {
  const full = Array.from({ length: 10 }, () => ({ size: 10 * kB }));
  const settings = { maxStoreSize: 100 * kB, evictsWhenFull: true };

  it('happens only when the bytes arrive for which it makes room', async () => {
    const { limits, evictions } = limitsOf(settings, full);
    const { makeRoom } = await limits.reserve(planned(25 * kB));
    assert.deepEqual(evictions, []);
    assert.ok(makeRoom);
    for (const [arrived, freed] of [
      [1 * kB, [10 * kB]],
      [10 * kB, [10 * kB]],
      [11 * kB, [10 * kB, 10 * kB]],
      [25 * kB, [10 * kB, 10 * kB, 10 * kB]],
    ] as const) {
      assert.ok((await makeRoom(arrived)) >= arrived);
      assert.deepEqual(evictions, freed, `${arrived} bytes have arrived`);
    }
  });

  it('does not happen for uploads that send no byte', async () => {
    const { limits, evictions } = limitsOf(settings, full);
    for (let count = 0; count < 4; count += 1) await limits.reserve(planned(25 * kB));
    await assert.rejects(limits.reserve(planned(1)), { code: 'STORE_FULL', message: /evictMinAge/ });
    assert.deepEqual(evictions, []);
  });

  it('promises no more room than the uploads that may go give', async () => {
    const { limits } = limitsOf(settings, full, { young: 4 });
    await assert.rejects(limits.reserve(planned(61 * kB)), { code: 'STORE_FULL' });
    const reservations = await Promise.all([30, 30].map((size) => limits.reserve(planned(size * kB))));
    for (const { makeRoom } of reservations) assert.equal(await makeRoom?.(30 * kB), 30 * kB);
    await assert.rejects(limits.reserve(planned(1)), { code: 'STORE_FULL' });
    for (const { settle } of reservations) settle(true, 0);
    await assert.rejects(limits.reserve(planned(1)), { code: 'STORE_FULL' });
  });

  it('deletes nothing for a slot that is taken', async () => {
    const { limits, evictions, disk } = limitsOf(settings, full);
    const upload = planned(10 * kB);
    disk.taken.add(upload.key);
    const { makeRoom, settle } = await limits.reserve(upload);
    await assert.rejects(makeRoom?.(10 * kB) ?? Promise.resolve(), { code: 'KEY_TAKEN' });
    settle(false, 0);
    assert.deepEqual(evictions, []);
  });

  it('stops when its upload breaks off', async () => {
    const { limits, evictions } = limitsOf(settings, full);
    const { makeRoom, settle } = await limits.reserve(planned(50 * kB));
    const room = assert.rejects(makeRoom?.(50 * kB) ?? Promise.resolve(), { code: 'STORE_FULL' });
    settle(false, 0);
    await room;
    assert.deepEqual(evictions, [0]);
  });

  it('leaves other running uploads their room', async () => {
    const { limits } = limitsOf(settings, full.slice(1));
    const first = await limits.reserve(planned(10 * kB));
    assert.equal(first.makeRoom, undefined);
    const second = await limits.reserve(planned(10 * kB));
    await second.makeRoom?.(10 * kB);
    for (const { settle } of [first, second]) settle(true, 0);
    await limits.reserve(planned(70 * kB));
    await assert.rejects(limits.reserve(planned(11 * kB)), { code: 'STORE_FULL' });
  });

  it('deletes what exceeds the limits after a count', async () => {
    const { limits, evictions } = limitsOf({ ...settings, maxStoreSize: 75 * kB }, full);
    await limits.evictExcess(() => true);
    assert.deepEqual(evictions, [30 * kB]);
    await limits.evictExcess(() => true);
    assert.equal(evictions.length, 1);
  });
});

describe('minFreeSpace', () => {
  it('is kept free by running uploads too', async () => {
    const { limits } = limitsOf({ minFreeSpace: 100 * kB }, [], { free: 200 * kB });
    const { settle } = await limits.reserve(planned(60 * kB));
    const again = planned(60 * kB);
    await assert.rejects(limits.reserve(again), { code: 'STORE_FULL', message: /minFreeSpace/ });
    settle(false, 0);
    await limits.reserve(planned(100 * kB));
    await assert.rejects(limits.reserve(again), { code: 'STORE_FULL' });
  });

  it('counts the bytes of an upload that are still to be written', async () => {
    const { limits, disk } = limitsOf({ minFreeSpace: GB, evictsWhenFull: true }, [{ size: 5 * GB }], {
      free: 18 * GB,
    });
    let arrived = 0;
    await limits.reserve(planned(10 * GB, { arrived: () => arrived }));
    arrived = 9.9 * GB;
    disk.free = 8 * GB;
    assert.equal((await limits.reserve(planned(6 * GB))).makeRoom, undefined);
    assert.notEqual((await limits.reserve(planned(GB))).makeRoom, undefined);
  });

  it('is not exceeded by reservations at the same time', async () => {
    const { limits } = limitsOf({ minFreeSpace: 100 * kB }, [], { free: 200 * kB });
    const results = await Promise.allSettled(Array.from({ length: 9 }, () => limits.reserve(planned(30 * kB))));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 3);
  });

  it('waits for the first count if others may be evicted', async () => {
    let isCounted = false;
    const limits: StoreLimits = new StoreLimits(
      { ...noLimits, minFreeSpace: 100 * kB, evictsWhenFull: true },
      {
        freeBytes: async () => 100 * kB,
        isTaken: async () => false,
        evictableBytes: () => (isCounted ? 50 * kB : 0),
        dropEvictable: () => undefined,
        evict: async () => 0,
        uploaderIds,
        now: () => now,
      },
    );
    const reservation = limits.reserve(planned(50 * kB));
    limits.beginCount();
    isCounted = true;
    limits.endCount();
    assert.notEqual((await reservation).makeRoom, undefined);
  });
});

describe('quotas', () => {
  it('count each uploader separately', async () => {
    const { limits } = limitsOf({ userQuota: 100 * kB }, [{ size: 90 * kB, uploader: 'a' }]);
    const refusal = { code: 'QUOTA_REACHED', retryAt: undefined };
    await assert.rejects(limits.reserve(planned(20 * kB, { uploader: 'a' })), refusal);
    await limits.reserve(planned(100 * kB, { uploader: 'b' }));
    await assert.rejects(limits.reserve(planned(1, { uploader: 'b' })), {
      code: 'QUOTA_REACHED',
      message: /for b.*userQuota/,
    });
    await limits.reserve(planned(1000 * kB));
  });

  it('count all ids of an uploader who is named by a JID, whichever secret made them', async () => {
    const stored = Object.values(ids).map((uploader) => ({ size: 30 * kB, uploader }));
    const phone = { size: 5 * kB, uploader: 'Romeo@example.org/phone' };
    const { limits } = limitsOf({ userQuota: 100 * kB }, [...stored, phone]);
    const uploader = 'romeo@example.org';
    await limits.reserve(planned(5 * kB, { uploader }));
    const message = /^100000 bytes are stored for romeo@example.org, 5000 more/;
    await assert.rejects(limits.reserve(planned(5 * kB, { uploader })), { code: 'QUOTA_REACHED', message });
    await limits.reserve(planned(100 * kB, { uploader: 'juliet@example.org' }));
    assert.deepEqual(
      (await limits.sentByHour(uploader)).map(({ size }) => size),
      [35 * kB, 30 * kB, 30 * kB],
    );
  });

  it('count the other ids of an uploader who is named by one of them, once the JID is known', async () => {
    const { limits } = limitsOf({ userQuota: 100 * kB }, [{ size: 60 * kB, uploader: ids.ofEjabberd }]);
    const reserve = (size: number, uploader: string) => limits.reserve(planned(size * kB, { uploader }));
    (await reserve(50, ids.ofMysecret)).settle(false, 0);
    // The slot is given to the JID; its upload names the id.
    await limits.admitSlot(planned(40 * kB, { uploader: 'romeo@example.org' }), false);
    await assert.rejects(reserve(41, ids.ofMysecret), { code: 'QUOTA_REACHED' });
    await reserve(35, ids.ofMysecret);
    await assert.rejects(reserve(6, ids.ofEjabberd), { code: 'QUOTA_REACHED' });
  });

  it('of a day say when there is room again, unless the upload is too large for any day', async () => {
    const { limits } = limitsOf({ dailyQuota: 100 * kB }, [{ size: 90 * kB, uploader: 'a' }]);
    const dayLater = Date.UTC(2026, 10, 23, 12);
    for (const [size, retryAt] of [
      [20 * kB, dayLater],
      [101 * kB, undefined],
    ] as const) {
      const refusal = { code: 'QUOTA_REACHED', retryAt };
      await assert.rejects(limits.reserve(planned(size, { uploader: 'a' })), refusal);
    }
  });

  it('of a day count deleted uploads', async () => {
    const { limits } = limitsOf({ dailyQuota: 100 * kB, userQuota: 100 * kB });
    limits.beginCount();
    limits.countDeleted({ size: 90 * kB, uploader: 'a', modifiedAt: now });
    limits.endCount();
    await assert.rejects(limits.reserve(planned(20 * kB, { uploader: 'a' })), { message: /dailyQuota/ });
  });

  it('of a day count the sent bytes of uploads that broke off, also after the next count', async () => {
    const { limits } = limitsOf({ dailyQuota: 100 * kB });
    for (const sent of [0, 45 * kB, 45 * kB]) {
      (await limits.reserve(planned(50 * kB, { uploader: 'a' }))).settle(false, sent);
    }
    const refusal = { code: 'QUOTA_REACHED', message: /^a sent 90000 bytes/ };
    await assert.rejects(limits.reserve(planned(11 * kB, { uploader: 'a' })), refusal);
    limits.beginCount();
    limits.endCount();
    await assert.rejects(limits.reserve(planned(11 * kB, { uploader: 'a' })), refusal);
    await limits.reserve(planned(10 * kB, { uploader: 'a' }));
  });
});

describe('a slot', () => {
  const full = Array.from({ length: 10 }, () => ({ size: 10 * kB }));

  it('evicts nothing, and has room if enough uploads may go', async () => {
    const { limits, evictions } = limitsOf({ maxStoreSize: 100 * kB, evictsWhenFull: true }, full);
    for (let count = 0; count < 5; count += 1) await limits.admitSlot(planned(100 * kB), false);
    await assert.rejects(limits.admitSlot(planned(101 * kB), false), { code: 'STORE_FULL' });
    for (let count = 0; count < 2; count += 1) await limits.admitSlot(planned(50 * kB), true);
    await assert.rejects(limits.admitSlot(planned(1), true), { code: 'STORE_FULL' });
    assert.deepEqual(evictions, []);
  });

  it('for a direct upload does not make other uploads evict any', async () => {
    const { limits, evictions } = limitsOf({ maxStoreSize: 110 * kB, evictsWhenFull: true }, full);
    await limits.admitSlot(planned(50 * kB), true);
    const { makeRoom } = await limits.reserve(planned(10 * kB));
    assert.equal(await makeRoom?.(10 * kB), 10 * kB);
    assert.deepEqual(evictions, []);
  });

  /** A slot of 60 kB for a direct upload, and whether a second one fits into a quota of 100 kB. */
  async function giveDirect() {
    const made = limitsOf({ userQuota: 100 * kB, dailyQuota: 1000 * kB });
    const { limits, clock } = made;
    const slot = planned(60 * kB, { uploader: 'a' });
    const takeBack = await limits.admitSlot(slot, true);
    const isQuotaReached = async () => {
      const { stored = 0 } = await limits.quotaLeft('a');
      return stored < 60 * kB;
    };
    const sweep = (stored: readonly PlannedUpload[]) => {
      limits.beginCount();
      for (const upload of stored) limits.count({ ...upload, modifiedAt: clock.now });
      limits.endCount();
    };
    return { ...made, slot, takeBack, isQuotaReached, sweep };
  }

  it('for a direct upload counts, unless it is revoked', async () => {
    const { takeBack, isQuotaReached } = await giveDirect();
    assert.equal(await isQuotaReached(), true);
    takeBack();
    assert.equal(await isQuotaReached(), false);
  });

  it('for a direct upload counts as long as that may come: a sweep may pass before it does', async () => {
    const { isQuotaReached, sweep, clock } = await giveDirect();
    for (let minutes = 0; minutes <= 15; minutes += 5) {
      sweep([]);
      assert.equal(await isQuotaReached(), true, `${minutes} minutes later`);
      clock.now += 5 * 60_000;
    }
    sweep([]);
    assert.equal(await isQuotaReached(), false);
  });

  it('for a direct upload counts once, also if the sweep that finds the upload began before the slot was given', async () => {
    const { limits, slot, sweep } = await giveDirect();
    sweep([slot]);
    assert.deepEqual(await limits.quotaLeft('a'), { stored: 40 * kB, today: 940 * kB });
    limits.beginCount();
    const next = planned(20 * kB, { uploader: 'a' });
    await limits.admitSlot(next, true);
    for (const upload of [slot, next]) limits.count({ ...upload, modifiedAt: now });
    limits.endCount();
    assert.deepEqual(await limits.quotaLeft('a'), { stored: 20 * kB, today: 920 * kB });
  });

  it('for a direct upload no longer counts as stored if the upload was deleted, but as sent', async () => {
    const { limits, slot } = await giveDirect();
    limits.forget(slot);
    assert.deepEqual(await limits.quotaLeft('a'), { stored: 100 * kB, today: 940 * kB });
    limits.beginCount();
    limits.countDeleted({ ...slot, modifiedAt: now });
    limits.endCount();
    assert.deepEqual(await limits.quotaLeft('a'), { stored: 100 * kB, today: 940 * kB });
  });
});

it('a table of quotas that limits nothing does not have the store counted by uploader', () => {
  const isByUploader = (figures: Parameters<typeof quotaTable>[1]) =>
    limitsOf({ quotas: [quotaTable('slidge.example.org', figures)] }).limits.isByUploader;
  assert.equal(isByUploader({ userQuota: unlimited, dailyQuota: unlimited, maxFileSize: 1 }), false);
  assert.equal(isByUploader({ userQuota: unlimited, dailyQuota: 1 }), true);
});

it('what quotas leave to an uploader is by its table, and by those at the top for what the table does not set', async () => {
  const quotas = [quotaTable('romeo@example.org', { dailyQuota: 50 * kB, requestsPerMinute: 5 })];
  const stored = [{ size: 8192, uploader: 'romeo@example.org' }];
  const { limits } = limitsOf({ userQuota: 20 * kB, dailyQuota: 30 * kB, quotas }, stored);
  assert.deepEqual(await limits.quotaLeft('romeo@example.org'), { stored: 11_808, today: 41_808 });
  assert.deepEqual(await limits.quotaLeft('juliet@example.org'), { stored: 20 * kB, today: 30 * kB });
});
