import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluateConditions, matchesIfRange } from '../../src/http/conditional.js';

const modifiedAt = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT') + 250;
const upload = { etag: '"2ebc-5"', modifiedAt };
const same = 'Sun, 06 Nov 1994 08:49:37 GMT';
const before = 'Sun, 06 Nov 1994 08:49:36 GMT';
const after = 'Sun, 06 Nov 1994 08:49:38 GMT';

describe('evaluateConditions', () => {
  const cases: [Record<string, string>, ReturnType<typeof evaluateConditions>][] = [
    [{}, 'send'],
    [{ 'if-none-match': '"2ebc-5"' }, 'not-modified'],
    [{ 'if-none-match': 'W/"2ebc-5"' }, 'not-modified'],
    [{ 'if-none-match': '"a", W/"b" , "2ebc-5"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"2ebc-6"' }, 'send'],
    [{ 'if-none-match': '2ebc-5' }, 'send'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': after }, 'not-modified'],
    [{ 'if-modified-since': before }, 'send'],
    [{ 'if-modified-since': 'yesterday' }, 'send'],
    [{ 'if-none-match': '"x"', 'if-modified-since': same }, 'send'],
    [{ 'if-match': '"2ebc-5"' }, 'send'],
    [{ 'if-match': '*' }, 'send'],
    [{ 'if-match': 'W/"2ebc-5"' }, 'precondition-failed'],
    [{ 'if-match': '"x"' }, 'precondition-failed'],
    [{ 'if-match': '"2ebc-5"', 'if-none-match': '"2ebc-5"' }, 'not-modified'],
    [{ 'if-unmodified-since': same }, 'send'],
    [{ 'if-unmodified-since': before }, 'precondition-failed'],
    [{ 'if-unmodified-since': 'nonsense' }, 'send'],
    [{ 'if-match': '"2ebc-5"', 'if-unmodified-since': before }, 'send'],
  ];
  for (const [headers, outcome] of cases) {
    it(`${JSON.stringify(headers)}: ${outcome}`, () => assert.equal(evaluateConditions(headers, upload), outcome));
  }
});

describe('matchesIfRange', () => {
  it('accepts only the current tag or date', () => {
    for (const header of [undefined, '"2ebc-5"', same]) assert.equal(matchesIfRange(header, upload), true);
    for (const header of ['W/"2ebc-5"', '"x"', before, after]) assert.equal(matchesIfRange(header, upload), false);
  });
});
