import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRange } from '../../src/http/range.js';

describe('parseRange', () => {
  const satisfiable: [string, number, number, number][] = [
    ['bytes=0-0', 10, 0, 0],
    ['bytes=2-5', 10, 2, 5],
    ['bytes=5-', 10, 5, 9],
    ['bytes=-3', 10, 7, 9],
    ['bytes=-99', 10, 0, 9],
    ['bytes=9-99', 10, 9, 9],
    ['BYTES=0-1', 10, 0, 1],
    ['bytes=0-99999999999999999999999', 10, 0, 9],
  ];
  for (const [header, size, first, last] of satisfiable) {
    it(`takes ${header} of ${size}`, () => assert.deepEqual(parseRange(header, size), { first, last }));
  }

  for (const [header, size] of [
    ['bytes=10-', 10],
    ['bytes=10-20', 10],
    ['bytes=-0', 10],
    ['bytes=0-', 0],
    ['bytes=99999999999999999999-', 10],
  ] as const) {
    it(`cannot satisfy ${header} of ${size}`, () => assert.equal(parseRange(header, size), 'unsatisfiable'));
  }

  for (const header of [
    'bytes=5-2',
    'bytes=-',
    'bytes=a-b',
    'bytes=0-1,3-4',
    'lines=0-1',
    'bytes 0-1',
    '',
    'bytes=0x1-2',
    'bytes=-1-2',
  ]) {
    it(`ignores ${JSON.stringify(header)}`, () => assert.equal(parseRange(header, 10), undefined));
  }

  it('sends an empty upload whole for a suffix range', () => assert.equal(parseRange('bytes=-5', 0), undefined));
});
