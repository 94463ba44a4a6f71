import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeClock } from '../../src/diagnosis/clock.js';

const tolerance = { warnFromMs: 30_000, problemFromMs: 300_000 };
const advice = { change: 'Use NTP.' };

/** What is found where the header says this time and came between 1,000,000 and 1,002,000 ms. */
function judge(time: number) {
  return judgeClock([{ what: 'Date', time, earliest: 1_000_000, latest: 1_002_000 }], tolerance, advice);
}

describe("a server's clock", () => {
  it('agrees where it differs by less than the tolerance from when the answer came', () => {
    const agrees = "The server's clock and this machine's clock agree within 30 s.";
    for (const time of [970_001, 1_000_000, 1_002_000, 1_031_999]) assert.equal(judge(time), agrees);
  });

  it('is a warning and then a problem where it differs more', () => {
    const found = (difference: string) => `Date is ${difference} this machine's clock.`;
    assert.deepEqual(judge(1_032_000), { outcome: 'warning', found: found('30 s ahead of'), ...advice });
    assert.deepEqual(judge(970_000), { outcome: 'warning', found: found('32 s behind'), ...advice });
    assert.deepEqual(judge(1_302_000), { outcome: 'problem', found: found('300 s ahead of'), ...advice });
    assert.deepEqual(judge(700_000), { outcome: 'problem', found: found('302 s behind'), ...advice });
  });
});
