import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FilerError } from '../../src/errors.js';
import { Evictor } from '../../src/retention/evictor.js';
import { compileRetention, type RetentionSettings } from '../../src/retention/expiry.js';
import type { LimitSettings } from '../../src/retention/limits.js';
import { openRetention } from '../../src/retention/open-retention.js';
import type { StoreLimits } from '../../src/retention/store-limits.js';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { UnreadableEntries } from '../../src/retention/unreadable-entries.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ListedUpload } from '../../src/storage/store.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { noLimits } from '../support/no-limits.js';
import { incoming, key } from '../support/store-contract.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { uploaderIds } from '../support/uploader-ids.js';

const hour = 3_600_000;
const day = 24 * hour;

interface Options {
  readonly retention?: RetentionSettings;
  readonly limits?: Partial<LimitSettings>;
  readonly evictMinAgeMs?: number;
}

async function open(t: TestContext, { retention = { rules: [] }, limits = {}, evictMinAgeMs = 0 }: Options) {
  const storeDir = await tempDir(t);
  const { store } = await openStore({
    storeDir,
    isDurable: false,
    stallTimeoutMs: 60_000,
    tombstonePhase: tombstonePhases(30 * day),
  });
  const lines: Record<string, unknown>[] = [];
  const log = (line: object, message: string) => lines.push({ ...line, message });
  const settings: LimitSettings & { evictMinAgeMs: number } = {
    ...noLimits,
    evictMinAgeMs,
    ...limits,
  };
  const compiled = compileRetention(retention);
  const context = { uploaderIds, logger: { info: log, warn: log }, now: Date.now };
  const opened = openRetention(store, compiled, settings, context);
  /** Stores an upload that looks as old as this. */
  const put = async (name: string, size: number, ageMs: number) => {
    await store.put(key(name), incoming(Buffer.alloc(size)));
    const then = (Date.now() - ageMs) / 1000;
    await utimes(path.join(storeDir, name), then, then);
  };
  const uploads = async () => (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
  return { ...opened, store, storeDir, lines, put, uploads };
}

describe('a sweep', () => {
  it('deletes expired uploads with their folders, logs each, and blocks their slots', async (t) => {
    const { sweeper, store, storeDir, put, uploads, lines } = await open(t, {
      retention: { expiresAfterMs: day, rules: [{ match: 'story_*', expiresAfterMs: hour }] },
    });
    await put('old/f.jpg', 10, 25 * hour);
    await put('young/f.jpg', 10, 23 * hour);
    await put('young/story_1.jpg', 7, 2 * hour);
    assert.deepEqual(await sweeper.sweep(), { files: 1, bytes: 10, deletedFiles: 2, deletedBytes: 17, unreadable: 0 });
    assert.deepEqual(await uploads(), ['young/f.jpg']);
    assert.ok(!(await readdir(storeDir)).includes('old'));
    assert.equal(await store.wasDeleted(key('old/f.jpg')), true);
    const deleted = lines
      .filter(({ message }) => message === 'deleted')
      .sort((a, b) => (String(a['path']) < String(b['path']) ? -1 : 1));
    assert.deepEqual(
      deleted.map(({ path, bytes, reason }) => [path, bytes, reason]),
      [
        ['old/f.jpg', 10, 'expired'],
        ['young/story_1.jpg', 7, 'expired'],
      ],
    );
    assert.equal(deleted[0]?.['ageSeconds'], (25 * hour) / 1000);
    assert.deepEqual(lines.at(-1), {
      files: 1,
      bytes: 10,
      deletedFiles: 2,
      deletedBytes: 17,
      unreadable: 0,
      message: 'swept',
    });
  });

  it('deletes an upload that has expired by its token, with its sidecar', async (t) => {
    const { sweeper, store, storeDir } = await open(t, {});
    const expiresAt = Date.now() - 1000;
    await store.put(key('slot/f'), incoming(Buffer.from('x'), { expiresAt }));
    assert.equal((await sweeper.sweep()).deletedFiles, 1);
    assert.deepEqual(
      (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/tombstones/')),
      [],
    );
  });

  it('deletes only uploads, whatever other files are called', async (t) => {
    const { sweeper, storeDir, put, uploads } = await open(t, { retention: { expiresAfterMs: hour, rules: [] } });
    const outside = await tempDir(t);
    await writeFile(path.join(outside, 'precious'), 'x');
    await symlink(outside, path.join(storeDir, 'link'));
    await mkdir(path.join(storeDir, 'slot'));
    await symlink(path.join(outside, 'precious'), path.join(storeDir, 'slot/precious'));
    await writeFile(path.join(storeDir, 'slot/two\nlines'), 'x');
    await put('slot/日本語 $(rm -rf).txt', 1, 2 * hour);
    const then = (Date.now() - 2 * hour) / 1000;
    for (const file of [path.join(outside, 'precious'), path.join(storeDir, 'slot/two\nlines')]) {
      await utimes(file, then, then);
    }
    assert.equal((await sweeper.sweep()).deletedFiles, 1);
    assert.deepEqual(await readdir(outside), ['precious']);
    assert.deepEqual((await uploads()).sort(), ['link', 'slot/precious', 'slot/two\nlines']);
  });

  it('removes sidecars without an upload and old tombstones', async (t) => {
    const { sweeper, store, storeDir } = await open(t, {});
    const facts = { uploader: 'romeo@example.org' };
    for (const name of ['kept/f', 'gone/f', 'deleted/f']) await store.put(key(name), incoming(Buffer.from('x'), facts));
    await store.delete(key('deleted/f'));
    await rm(path.join(storeDir, 'gone'), { recursive: true });
    const reserved = (await filesIn(storeDir)).filter((name) => /sidecars|tombstones/.test(name));
    assert.equal(reserved.length, 3);
    await sweeper.sweep();
    assert.equal((await filesIn(storeDir)).length, 4, 'young ones stay');
    const then = (Date.now() - 31 * day) / 1000;
    for (const name of reserved) await utimes(path.join(storeDir, name), then, then);
    await sweeper.sweep();
    const [sidecar = '', upload, ...others] = await filesIn(storeDir);
    assert.deepEqual([upload, others], ['kept/f', []]);
    assert.match(sidecar, /sidecars/);
  });
});

it('a start and each sweep give all folders of the bookkeeping the time of now, except those of other hosts', async (t) => {
  const { sweeper, store, storeDir } = await open(t, {});
  await store.put(key('slot/f'), incoming(Buffer.from('x'), { uploader: 'romeo@example.org' }));
  await store.put(key('slot/g'), incoming(Buffer.from('x'), { uploader: 'romeo@example.org' }));
  await store.delete(key('slot/g'));
  const other = path.join(storeDir, '.prosody-filer/temporary/other~1~1~1');
  await mkdir(other);
  const purgeLine = ['-mindepth', '1', '-type', 'd', '-mtime', '+28'];
  const old = () =>
    execFileSync('find', [storeDir, ...purgeLine], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort();
  const age = () => execFileSync('find', [storeDir, '-exec', 'touch', '-d', '29 days ago', '{}', '+']);
  const spared = [path.join(storeDir, 'slot'), other].sort();
  age();
  assert.ok(old().length > 8);
  await sweeper.sweep();
  assert.deepEqual(old(), spared);
  age();
  await openStore({ storeDir, isDurable: false, stallTimeoutMs: 10 ** 12 });
  assert.deepEqual(old(), spared);
});

it('an entry that cannot be read is logged once, counted at each sweep, and logged again if it was repaired meanwhile', () => {
  const lines: object[] = [];
  const entries = new UnreadableEntries({ warn: (line, message) => lines.push({ ...line, message }) });
  const sweep = (...paths: string[]) => {
    const report = entries.begin();
    for (const path of paths) report({ path, reason: 'EIO' });
    return entries.end();
  };
  assert.equal(sweep('/a', '/b', '/a'), 2);
  assert.equal(sweep('/a', '/b'), 2);
  assert.equal(entries.count, 2);
  assert.deepEqual(lines, [
    { path: '/a', reason: 'EIO', message: 'cannot be read and is passed over: repair or remove it' },
    { path: '/b', reason: 'EIO', message: 'cannot be read and is passed over: repair or remove it' },
  ]);
  assert.equal(sweep('/a'), 1);
  assert.equal(sweep('/a', '/b'), 2);
  assert.equal(lines.length, 3);
});

it('any number of unreadable entries takes bounded memory and bounded space in the log', () => {
  let lines = 0;
  const entries = new UnreadableEntries({ warn: () => (lines += 1) });
  for (let sweeps = 0; sweeps < 2; sweeps += 1) {
    const report = entries.begin();
    for (let index = 0; index < 5000; index += 1) report({ path: `/${index}`, reason: 'EIO' });
    assert.equal(entries.end(), 5000);
  }
  assert.equal(lines, 1000);
});

it('a sweeper can be stopped while a sweep fails', async (t) => {
  const { sweeper, storeDir } = await open(t, {});
  await rm(storeDir, { recursive: true });
  const sweep = assert.rejects(sweeper.sweep(), { code: 'STORE_FAILED' });
  await sweeper.stop();
  await sweep;
});

describe('eviction', () => {
  let keys = 0;
  /** Reserves room for an upload whose bytes arrive all at once. */
  const reserve = async (limits: StoreLimits, size: number) => {
    keys += 1;
    const { makeRoom, settle } = await limits.reserve({ key: key(`new${keys}/f`), size, arrived: () => size });
    try {
      await makeRoom?.(size);
      settle(true, size);
    } catch (error) {
      settle(false, size);
      throw error;
    }
  };
  const kB = 1000;

  it('deletes the oldest uploads first, none that is too young, and then refuses', async (t) => {
    const { limits, sweeper, put, uploads, lines } = await open(t, {
      limits: { maxStoreSize: 100 * kB, evictsWhenFull: true },
      evictMinAgeMs: day,
    });
    for (const [name, days] of Object.entries({ b: 3, a: 5, d: 0.5, c: 2 }))
      await put(`${name}/f`, 25 * kB, days * day);
    await sweeper.sweep();
    await reserve(limits, 30 * kB);
    assert.deepEqual(await uploads(), ['c/f', 'd/f']);
    assert.deepEqual(
      lines.filter(({ reason }) => reason === 'evicted').map((line) => line['path']),
      ['a/f', 'b/f'],
    );
    await assert.rejects(reserve(limits, 60 * kB), { code: 'STORE_FULL', message: /evictMinAge/ });
    assert.deepEqual(await uploads(), ['c/f', 'd/f'], 'nothing is evicted in vain');
    await reserve(limits, 45 * kB);
    assert.deepEqual(await uploads(), ['d/f']);
  });

  it('deletes what exceeds the limits after a sweep, the oldest first', async (t) => {
    const { sweeper, put, uploads } = await open(t, { limits: { maxStoreSize: 60 * kB, evictsWhenFull: true } });
    for (const [name, days] of Object.entries({ b: 3, a: 5, d: 0.5, c: 2 }))
      await put(`${name}/f`, 25 * kB, days * day);
    await sweeper.sweep();
    assert.deepEqual(await uploads(), ['c/f', 'd/f']);
  });

  it('passes over uploads that cannot be deleted, and logs that once', async (t) => {
    const { limits, sweeper, store, put, uploads, lines } = await open(t, {
      limits: { maxStoreSize: 100 * kB, evictsWhenFull: true },
    });
    for (const [name, days] of Object.entries({ a: 5, b: 4, c: 3, d: 2 })) await put(`${name}/f`, 25 * kB, days * day);
    const remove = store.delete.bind(store);
    t.mock.method(store, 'delete', (asked: UploadKey) =>
      /^[ab]/.test(asked) ? Promise.reject(new FilerError('STORE_FAILED', 'EACCES')) : remove(asked),
    );
    await sweeper.sweep();
    await reserve(limits, 20 * kB);
    assert.deepEqual((await uploads()).sort(), ['a/f', 'b/f', 'd/f']);
    const warnings = lines.filter(({ error }) => error === 'EACCES');
    assert.deepEqual(
      warnings.map((line) => [line['path'], line['files']]),
      [['a/f', 2]],
    );
    await assert.rejects(reserve(limits, 31 * kB), { code: 'STORE_FULL' });
  });
});

describe('eviction in a store of more uploads than a sweep gathers', () => {
  const total = 5000 + 10;

  /**
   * An evictor of so many uploads of 4 KiB. The uploads of these ages, or so many of the oldest ones, cannot be deleted. The
   * sweep with the number `joinedSweep` has begun before the evictor asked for it.
   */
  function evictorOf(undeletable: number | ((age: number) => boolean), { count = total, joinedSweep = 0 } = {}) {
    const isUndeletable = typeof undeletable === 'number' ? (age: number) => age < undeletable : undeletable;
    const uploads = new Map(
      Array.from({ length: count }, (_, age) => {
        const upload = { key: key(`s${age}/f`), size: 4096, modifiedAt: age, contentType: 'x/y', isComplete: true };
        return [upload.key, upload];
      }),
    );
    const tried: string[] = [];
    const warnings: Record<string, unknown>[] = [];
    const uncounted: number[] = [];
    let sweeps = 0;
    const sweep = async (after: ListedUpload | undefined) => {
      sweeps += 1;
      evictor.oldest.begin(sweeps === joinedSweep ? undefined : after);
      // Not in the order of their age, and more than are kept.
      for (const upload of [...uploads.values()].reverse()) evictor.oldest.gather(upload);
      evictor.endGathering();
    };
    const evictor: Evictor = new Evictor({
      store: {
        delete: async (asked) => {
          tried.push(asked);
          const upload = uploads.get(asked);
          if (upload === undefined) return undefined;
          if (isUndeletable(upload.modifiedAt)) throw new FilerError('STORE_FAILED', 'EACCES');
          uploads.delete(asked);
          return upload;
        },
      },
      limits: { forget: () => undefined, uncount: (upload) => uncounted.push(upload.modifiedAt) },
      evictMinAgeMs: 0,
      logger: { info: () => undefined, warn: (line) => warnings.push({ ...line }) },
      now: () => count,
      sweep,
    });
    return { evictor, sweep, uploads, tried, warnings, uncounted, sweeps: () => sweeps };
  }

  it('goes on with the uploads that come after', async () => {
    const { evictor, sweep, tried, warnings } = evictorOf(10);
    await sweep(undefined);
    assert.equal(evictor.oldest.evictableBytes(), total * 4096);
    assert.equal(await evictor.evict(5000 * 4096, () => true), 5000 * 4096);
    assert.deepEqual([tried.length, new Set(tried).size, evictor.oldest.evictableBytes()], [total, total, 0]);
    assert.deepEqual(
      warnings.map(({ files }) => files),
      [10],
    );
  });

  it('gathers more before the last one is deleted', async () => {
    const { evictor, sweep, sweeps } = evictorOf(0);
    await sweep(undefined);
    await evictor.evict(4000 * 4096, () => true);
    assert.deepEqual([sweeps(), evictor.oldest.evictableBytes()], [1, (total - 4000) * 4096]);
    await evictor.evict(4096, () => true);
    assert.deepEqual([sweeps(), evictor.oldest.evictableBytes()], [2, (total - 4001) * 4096]);
  });

  it('ends when thousands cannot be deleted, and the next one goes on with those that come after', async () => {
    const { evictor, sweep, tried, warnings } = evictorOf(5000);
    await sweep(undefined);
    assert.equal(await evictor.evict(4096, () => true), 0);
    assert.deepEqual([tried.length, warnings[0]?.['files']], [5000, 5000]);
    assert.equal(await evictor.evict(4096, () => true), 4096);
    assert.equal(tried.length, 5001);
  });

  it('passes over thousands that cannot be deleted, even if a running sweep gathers them again', async () => {
    const { evictor, sweep } = evictorOf((age) => age < 10_000 && age % 5000 !== 0, { count: 10_010, joinedSweep: 3 });
    await sweep(undefined);
    const until = performance.now() + 5000;
    assert.equal(await evictor.evict(3 * 4096, () => performance.now() < until), 3 * 4096);
  });

  it('takes uploads that it deletes during a sweep off its count', async () => {
    const { evictor, sweep, uploads, uncounted } = evictorOf(0);
    await sweep(undefined);
    evictor.oldest.begin(undefined);
    for (const upload of uploads.values()) evictor.oldest.gather(upload);
    await evictor.evict(2 * 4096, () => true);
    evictor.endGathering();
    assert.deepEqual(uncounted, [0, 1]);
    assert.equal(evictor.oldest.evictableBytes(), (total - 2) * 4096);
  });

  it('counts uploads that somebody else removed as freed, unless a request did', async () => {
    const { evictor, sweep, uploads, tried } = evictorOf(0);
    await sweep(undefined);
    for (const age of [0, 1]) uploads.delete(key(`s${age}/f`));
    evictor.oldest.drop(key('s0/f'));
    assert.equal(await evictor.evict(2 * 4096, () => true), 2 * 4096);
    assert.deepEqual(tried, ['s1/f', 's2/f']);
  });

  it('ends if nothing can be deleted', async () => {
    const { evictor, sweep, sweeps } = evictorOf(total);
    await sweep(undefined);
    for (let count = 0; count < 4; count += 1) assert.equal(await evictor.evict(4096, () => true), 0);
    assert.equal(sweeps(), 2);
  });
});
