import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { disk } from '../../src/storage/disk/disk-calls.js';
import { Flusher } from '../../src/storage/disk/flusher.js';
import { tempDir } from '../support/temp-dir.js';

interface HeldFlush {
  end(): void;
  fail(error: Error): void;
}

/** Holds each fsync until the test ends it. */
function holdFlushes(t: TestContext): HeldFlush[] {
  const held: HeldFlush[] = [];
  t.mock.method(disk, 'fsync', () => new Promise<void>((resolve, reject) => held.push({ end: resolve, fail: reject })));
  return held;
}

/** What has happened to a promise by now. */
function watch(promise: Promise<void>): { state: 'pending' | 'flushed' | 'failed' } {
  const watched: { state: 'pending' | 'flushed' | 'failed' } = { state: 'pending' };
  promise.then(
    () => Object.assign(watched, { state: 'flushed' }),
    () => Object.assign(watched, { state: 'failed' }),
  );
  return watched;
}

async function until(isReached: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !isReached() && Date.now() < deadline; ) await nextTurn();
  assert.ok(isReached());
}

describe('a flush of a folder', () => {
  it('is shared by all that ask while another one runs, and begins after that', async (t) => {
    const folder = await tempDir(t);
    const held = holdFlushes(t);
    const flusher = new Flusher();
    const first = watch(flusher.flush([folder]));
    await until(() => held.length === 1);
    const later = [watch(flusher.flush([folder])), watch(flusher.flush([folder]))];
    held[0]?.end();
    await until(() => held.length === 2);
    assert.equal(first.state, 'flushed');
    assert.deepEqual(later, [{ state: 'pending' }, { state: 'pending' }]);
    held[1]?.end();
    await until(() => later.every(({ state }) => state === 'flushed'));
    assert.equal(held.length, 2);
  });

  it('fails for those only that it was for', async (t) => {
    const folder = await tempDir(t);
    const held = holdFlushes(t);
    const flusher = new Flusher();
    const first = watch(flusher.flush([folder]));
    await until(() => held.length === 1);
    const second = watch(flusher.flush([folder]));
    held[0]?.fail(new Error('the disk failed'));
    await until(() => held.length === 2);
    held[1]?.end();
    await until(() => second.state === 'flushed');
    assert.equal(first.state, 'failed');
  });

  it('runs beside those of other folders, and a call settles when all of its flushes are over', async (t) => {
    const folders = [await tempDir(t), await tempDir(t)];
    const held = holdFlushes(t);
    const both = watch(new Flusher().flush(folders));
    await until(() => held.length === 2);
    held[0]?.fail(new Error('the disk failed'));
    await nextTurn();
    assert.equal(both.state, 'pending');
    held[1]?.end();
    await until(() => both.state === 'failed');
  });
});
