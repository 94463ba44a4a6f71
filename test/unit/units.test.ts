import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatSize, parseDuration, parseSize } from '../../src/units.js';

describe('parseSize', () => {
  const sizes = {
    '50MB': 50_000_000,
    '50mb': 50_000_000,
    '50 MiB': 52_428_800,
    '1.5GB': 1_500_000_000,
    '2gib': 2 ** 31,
    '10B': 10,
  };
  for (const [text, bytes] of Object.entries(sizes)) {
    it(`reads ${text}`, () => assert.equal(parseSize(text), bytes));
  }
  for (const text of ['', '50', '50 megs', '50m', '-5MB', '1e3B', 'MB', '5MBit', '5 MB x']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.ok(Number.isNaN(parseSize(text))));
  }
});

describe('parseDuration', () => {
  const durations = {
    '500ms': 500,
    '60s': 60_000,
    '1.5h': 5_400_000,
    '28d': 2_419_200_000,
    '28 days': 2_419_200_000,
    '2w': 1_209_600_000,
  };
  for (const [text, ms] of Object.entries(durations)) {
    it(`reads ${text}`, () => assert.equal(parseDuration(text), ms));
  }
  for (const text of ['', '60', 's', '-1d', '1 fortnight', '1d 2h', '1y']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.ok(Number.isNaN(parseDuration(text))));
  }
});

it('formatSize uses decimal units and keeps at least three digits', () => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 KB'],
    [23026, '23.03 KB'],
    [5_200_000_000_000, '5.20 TB'],
  ] as const) {
    assert.equal(formatSize(bytes), text);
  }
});
