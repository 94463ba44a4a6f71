import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Usage } from '../../src/upload/usage.js';

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 22, 12);

describe('what is counted', () => {
  it('is the bytes stored, in all and by uploader', () => {
    const usage = new Usage();
    const own = { size: 10, uploader: 'a', modifiedAt: noon };
    usage.add(own);
    usage.add({ size: 5, uploader: 'b', modifiedAt: noon });
    usage.add({ size: 1, modifiedAt: noon });
    assert.deepEqual(
      [usage.stored, usage.storedBy(['a']), usage.storedBy(['b']), usage.storedBy(['c'])],
      [16, 10, 5, 0],
    );
    usage.remove(own);
    assert.deepEqual([usage.stored, usage.storedBy(['a'])], [6, 0]);
  });

  it('is asked for all ids of an uploader together', () => {
    const usage = new Usage();
    usage.add({ size: 1, uploader: 'old', modifiedAt: noon - 20 * hour });
    usage.add({ size: 2, uploader: 'new', modifiedAt: noon });
    usage.add({ size: 4, uploader: 'other', modifiedAt: noon });
    const ids = ['new', 'old', 'unused'];
    assert.equal(usage.storedBy(ids), 3);
    assert.deepEqual(usage.sentBy(ids, noon), { bytes: 3, lessAt: noon + 4 * hour });
    assert.deepEqual(usage.sentByHour(ids, noon), [
      { size: 2, uploader: 'new', modifiedAt: noon },
      { size: 1, uploader: 'old', modifiedAt: noon - 20 * hour },
    ]);
    assert.deepEqual([usage.hasSent(ids), usage.hasSent(['unused'])], [true, false]);
  });

  it('is the bytes that an uploader sent in 24 hours, deleted ones too', () => {
    const usage = new Usage();
    const first = { size: 1, uploader: 'a', modifiedAt: noon };
    usage.add(first);
    usage.remove(first);
    usage.addSent({ size: 2, uploader: 'a', modifiedAt: noon + 10 * hour });
    usage.add({ size: 4, uploader: 'a', modifiedAt: noon + 23 * hour });
    usage.add({ size: 8, uploader: 'b', modifiedAt: noon });
    assert.deepEqual(usage.sentBy(['a'], noon + 23 * hour), { bytes: 7, lessAt: noon + 24 * hour });
    assert.deepEqual(usage.sentBy(['a'], noon + 24 * hour), { bytes: 6, lessAt: noon + 34 * hour });
    assert.deepEqual(usage.sentByHour(['a'], noon + 24 * hour), [
      { size: 2, uploader: 'a', modifiedAt: noon + 10 * hour },
      { size: 4, uploader: 'a', modifiedAt: noon + 23 * hour },
    ]);
    assert.equal(usage.sentBy(['a'], noon + 47 * hour).bytes, 0);
    assert.equal(usage.sentBy(['nobody'], noon).bytes, 0);
  });

  it('is not what did not come', () => {
    const usage = new Usage();
    const first = { size: 1, uploader: 'a', modifiedAt: noon };
    usage.addSent(first);
    usage.addSent({ size: 2, uploader: 'a', modifiedAt: noon });
    usage.addSent({ size: 4, uploader: 'a', modifiedAt: noon + hour });
    usage.removeSent(first);
    assert.deepEqual(usage.sentBy(['a'], noon + hour), { bytes: 6, lessAt: noon + 24 * hour });
    usage.removeSent({ size: 2, uploader: 'a', modifiedAt: noon });
    assert.deepEqual(usage.sentBy(['a'], noon + hour), { bytes: 4, lessAt: noon + 25 * hour });
  });

  it('is forgotten of uploaders who sent nothing in 24 hours', () => {
    const usage = new Usage();
    usage.addSent({ size: 1, uploader: 'a', modifiedAt: noon });
    usage.addSent({ size: 1, uploader: 'b', modifiedAt: noon + hour });
    usage.forgetSent(noon + 23 * hour);
    assert.deepEqual([usage.hasSent(['a']), usage.hasSent(['b'])], [true, true]);
    usage.forgetSent(noon + 24 * hour);
    assert.deepEqual([usage.hasSent(['a']), usage.hasSent(['b'])], [false, true]);
  });
});
