import assert from 'node:assert/strict';
import { it } from 'node:test';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { hourMs } from '../../src/units.js';

it('a tombstone blocks its slot for the replay window, then may be replaced for an hour, and removed an hour later', () => {
  const phaseOf = tombstonePhases(1000);
  const ages = [-5, 0, 999, 1000, 999 + hourMs, 1000 + hourMs, 999 + 2 * hourMs, 1000 + 2 * hourMs];
  assert.deepEqual(ages.map(phaseOf), [
    'blocks',
    'blocks',
    'blocks',
    'replaceable',
    'replaceable',
    'frozen',
    'frozen',
    'removable',
  ]);
});

it('a tombstone never blocks its slot where the replay window is 0', () => {
  assert.equal(tombstonePhases(0)(0), 'replaceable');
});
