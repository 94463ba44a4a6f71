import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { advertisedPurposes } from '../../src/slots/advertised-purposes.js';

describe('the purposes that are advertised', () => {
  it('are those that need no rule, and those that rules name', () => {
    assert.deepEqual(advertisedPurposes('filer', [{}]), ['message', 'ephemeral']);
    assert.deepEqual(advertisedPurposes('filer', [{ purpose: 'profile' }]), ['message', 'profile', 'ephemeral']);
  });

  it('are all if a rule is for messages: every other upload is kept otherwise than these', () => {
    const all = ['message', 'profile', 'ephemeral', 'permanent'];
    assert.deepEqual(advertisedPurposes('filer', [{ purpose: 'message' }]), all);
  });

  it('are none for slots of a bucket', () => {
    assert.deepEqual(advertisedPurposes('direct', [{}]), []);
  });
});
