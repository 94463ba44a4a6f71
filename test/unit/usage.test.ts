import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Usage } from '../../src/retention/usage.js';

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 22, 12);

/** A usage with a clock that the test sets. */
function usageAt(time: number) {
  const clock = { now: time };
  return { usage: new Usage(() => clock.now), clock };
}

describe('the count of usage', () => {
  it('has the stored bytes, in all and by uploader', () => {
    const { usage } = usageAt(noon);
    const own = { size: 10_000, uploader: 'a', modifiedAt: noon };
    usage.add(own);
    usage.add({ size: 5000, uploader: 'b', modifiedAt: noon });
    usage.add({ size: 6000, modifiedAt: noon });
    const stored = () => [usage.stored, usage.storedBy(['a']), usage.storedBy(['b']), usage.storedBy(['c'])];
    assert.deepEqual(stored(), [21_000, 10_000, 5000, 0]);
    usage.removeStored(own);
    assert.deepEqual(stored(), [11_000, 0, 5000, 0]);
  });

  it('knows the largest uploaders', () => {
    const { usage } = usageAt(noon);
    for (const [uploader, size] of Object.entries({ a: 5000, b: 7000, c: 6000, d: 8000 })) {
      usage.add({ size, uploader, modifiedAt: noon });
    }
    usage.add({ size: 9000, modifiedAt: noon });
    usage.removeStored({ size: 8000, uploader: 'd' });
    assert.deepEqual(usage.largestUploaders(2), [
      { id: 'b', bytes: 7000 },
      { id: 'c', bytes: 6000 },
    ]);
  });

  it('has at least 4 KiB for a file', () => {
    const { usage } = usageAt(noon);
    for (const size of [0, 1, 4096, 4097]) usage.add({ size, uploader: 'a', modifiedAt: noon });
    const bytes = 3 * 4096 + 4097;
    assert.deepEqual([usage.stored, usage.storedBy(['a']), usage.sentBy(['a']).bytes], [bytes, bytes, bytes]);
    for (const size of [0, 1, 4096, 4097]) usage.removeStored({ size, uploader: 'a' });
    assert.deepEqual([usage.stored, usage.storedBy(['a'])], [0, 0]);
  });

  it('adds up all ids of an uploader', () => {
    const { usage } = usageAt(noon);
    usage.add({ size: 10_000, uploader: 'old', modifiedAt: noon - 20 * hour });
    usage.add({ size: 20_000, uploader: 'new', modifiedAt: noon });
    usage.add({ size: 40_000, uploader: 'other', modifiedAt: noon });
    const ids = ['new', 'old', 'unused'];
    assert.equal(usage.storedBy(ids), 30_000);
    assert.deepEqual(usage.sentBy(ids), { bytes: 30_000, lessAt: noon + 4 * hour });
    assert.deepEqual(usage.sentByHour(ids), [
      { size: 20_000, uploader: 'new', modifiedAt: noon },
      { size: 10_000, uploader: 'old', modifiedAt: noon - 20 * hour },
    ]);
    assert.deepEqual([usage.hasSent(ids), usage.hasSent(['unused'])], [true, false]);
  });

  it('has the bytes that an uploader sent in 24 hours, deleted or not', () => {
    const { usage, clock } = usageAt(noon);
    const first = { size: 10_000, uploader: 'a', modifiedAt: noon };
    usage.add(first);
    usage.removeStored(first);
    clock.now = noon + 23 * hour;
    usage.addSent({ size: 20_000, uploader: 'a', modifiedAt: noon + 10 * hour });
    usage.add({ size: 40_000, uploader: 'a', modifiedAt: noon + 23 * hour });
    usage.add({ size: 80_000, uploader: 'b', modifiedAt: noon });
    assert.deepEqual(usage.sentBy(['a']), { bytes: 70_000, lessAt: noon + 24 * hour });
    clock.now = noon + 24 * hour;
    assert.deepEqual(usage.sentBy(['a']), { bytes: 60_000, lessAt: noon + 34 * hour });
    assert.deepEqual(usage.sentByHour(['a']), [
      { size: 20_000, uploader: 'a', modifiedAt: noon + 10 * hour },
      { size: 40_000, uploader: 'a', modifiedAt: noon + 23 * hour },
    ]);
    clock.now = noon + 47 * hour;
    assert.deepEqual([usage.sentBy(['a']).bytes, usage.sentBy(['nobody']).bytes], [0, 0]);
  });

  it('no longer has an upload that did not come', () => {
    const { usage } = usageAt(noon + hour);
    const first = { size: 10_000, uploader: 'a', modifiedAt: noon };
    const second = { size: 20_000, uploader: 'a', modifiedAt: noon };
    for (const upload of [first, second]) usage.addSent(upload);
    usage.addSent({ size: 40_000, uploader: 'a', modifiedAt: noon + hour });
    usage.removeSent(first);
    assert.deepEqual(usage.sentBy(['a']), { bytes: 60_000, lessAt: noon + 24 * hour });
    usage.removeSent(second);
    assert.deepEqual(usage.sentBy(['a']), { bytes: 40_000, lessAt: noon + 25 * hour });
  });

  it('forgets uploaders who sent nothing in 24 hours', () => {
    const { usage, clock } = usageAt(noon + hour);
    usage.addSent({ size: 1, uploader: 'a', modifiedAt: noon });
    usage.addSent({ size: 1, uploader: 'b', modifiedAt: noon + hour });
    clock.now = noon + 23 * hour;
    assert.deepEqual([usage.hasSent(['a']), usage.hasSent(['b'])], [true, true]);
    clock.now = noon + 24 * hour;
    assert.deepEqual([usage.hasSent(['a']), usage.hasSent(['b'])], [false, true]);
  });

  it('uses memory by uploader, not by upload', () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage: () => void = runInNewContext('gc');
    const uploaders = Array.from({ length: 1000 }, (_, index) => `uploader ${index}`);
    const fill = () => {
      const { usage } = usageAt(noon);
      for (let index = 0; index < 1_000_000; index += 1) {
        usage.add({ size: 1, uploader: uploaders[index % 1000], modifiedAt: noon - (index % 8760) * hour });
      }
      return usage;
    };
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    // One counts the stored uploads, the other those that a running sweep has found.
    const both = [fill(), fill()];
    collectGarbage();
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < 4_000_000, `${grown} bytes more`);
    for (const usage of both) assert.equal(usage.stored, 4096 * 1_000_000);
  });
});
