import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FilerError } from '../../src/errors.js';
import { DownloadMemory } from '../../src/storage/download-memory.js';

/** A memory of 100 bytes, and the names of the leases that were ended. */
function open() {
  const memory = new DownloadMemory(100);
  const cuts: string[] = [];
  const take = (name: string, bytes: number) => {
    const cut = ({ code }: FilerError) => cuts.push(`${name} ${code}`);
    const lease = { bytes, cut };
    memory.take(lease);
    return lease;
  };
  return { memory, cuts, take };
}

describe('the memory of downloads', () => {
  it('ends no download while there is room', () => {
    const { memory, cuts, take } = open();
    for (let count = 0; count < 1000; count += 1) memory.give(take('a', 60));
    take('b', 100);
    assert.deepEqual(cuts, []);
  });

  it('ends as many downloads as necessary, those first that have waited longest', () => {
    const { cuts, take } = open();
    take('a', 30);
    take('b', 30);
    take('c', 40);
    take('d', 50);
    assert.deepEqual(cuts, ['a DOWNLOADS_LIMITED', 'b DOWNLOADS_LIMITED']);
    take('e', 10);
    assert.equal(cuts.length, 2);
  });

  it('counts a download as waiting since it last took its bytes', () => {
    const { memory, cuts, take } = open();
    const first = take('a', 50);
    take('b', 50);
    memory.give(first);
    take('a', 50);
    take('c', 50);
    assert.deepEqual(cuts, ['b DOWNLOADS_LIMITED']);
  });

  it('counts a lease once if it was ended and is then given back', () => {
    const { memory, cuts, take } = open();
    const first = take('a', 100);
    take('b', 100);
    memory.give(first);
    memory.give(first);
    take('c', 1);
    assert.deepEqual(cuts, ['a DOWNLOADS_LIMITED', 'b DOWNLOADS_LIMITED']);
  });
});
