import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileRetention } from '../../src/retention/expiry.js';
import { compilePattern, PatternError } from '../../src/upload/name-pattern.js';

describe('a pattern', () => {
  const cases: [pattern: string, fitting: string[], others: string[]][] = [
    ['story_*', ['story_', 'story_1.jpg', 'story_*\n'], ['.story_1', 'Story_1', 'a/story_1', 'story']],
    ['*.jpg', ['.jpg', 'a.jpg', 'a.jpg.jpg', 'é b.jpg'], ['a.jpgx', 'a.JPG', 'jpg', 'a/b.jpg']],
    ['*-*-*.jpg', ['--.jpg', 'a-b-c-d.jpg'], ['a-b.jpg', '-----']],
    ['image/*', ['image/png', 'image/'], ['image', 'image/a/b', 'ximage/png']],
    ['*/*', ['image/png', '/'], ['image', 'a/b/c']],
    ['*', ['', 'a', '.a'], ['a/b']],
    ['IMG_????.jpg', ['IMG_0001.jpg', 'IMG_日本👩x.jpg'], ['IMG_001.jpg', 'IMG_00001.jpg', 'IMG_0/01.jpg']],
    ['[abc]x', ['ax', 'cx'], ['dx', 'x', 'abx']],
    ['[a-c0-9]', ['b', '0', '9'], ['d', '-', '']],
    ['[!a-c]', ['d', '-', '!'], ['a', '/', '']],
    ['[^a]', ['b', '^'], ['a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[\\]\\-x]', [']', '-', 'x'], ['\\']],
    ['*.{jpg,png}', ['a.jpg', '.png'], ['a.gif', 'a.{jpg,png}', 'a.jpg,png']],
    ['a{,b}c', ['ac', 'abc'], ['abbc', 'c']],
    ['{a,b}{1,2}', ['a1', 'b2'], ['a', '11']],
    ['{*.jpg,[0-9]}', ['x.jpg', '7'], ['x']],
    ['\\*\\[\\{\\(1\\)', ['*[{(1)'], ['x[{(1)']],
    ['a.b+c^$', ['a.b+c^$'], ['axb+c^$', 'a.bbc^$']],
    ['a!', ['a!'], ['a']],
    ['', [''], ['a']],
  ];
  for (const [pattern, fitting, others] of cases) {
    it(`'${pattern}' fits ${JSON.stringify(fitting)}, not ${JSON.stringify(others)}`, () => {
      const isFit = compilePattern(pattern);
      for (const text of fitting) assert.equal(isFit(text), true, text);
      for (const text of others) assert.equal(isFit(text), false, text);
    });
  }

  const refused: Record<string, RegExp> = {
    '!*.jpg': /"!" at the beginning/,
    '**': /one "\*", not two/,
    'a/**/b': /one "\*", not two/,
    '!(a)': /"!" at the beginning/,
    '+(a|b)': /"\\\(" in place of "\("/,
    'a@(b)': /"\\\(" in place of "\("/,
    'photo(1).jpg': /"\\\(" in place of "\("/,
    'a|b': /"\\\|" in place of "\|"/,
    '"a"': /'\\"' in place of '"'/,
    '{1..3}': /a "," between/,
    '{a}': /a "," between/,
    '{a,{b,c}}': /no "\{" between/,
    '[a': /a closing "\]"/,
    '{a,b': /a closing "\]" or "}"/,
    'a\\': /punctuation after/,
    '[]': /something between/,
    '[!]': /something between/,
    '[b-a]': /"a-b", not "b-a"/,
    '[[:alpha:]]': /"\[" between/,
    '[ab]+': /"\+" after "\]"/,
    '{a,b}+': /"\+" after/,
    'a]': /"\[" before "\]"/,
    'a}': /"\{" before "\}"/,
    '\\d': /punctuation, not a letter/,
    [`${'x'.repeat(256)}`]: /at most 255 characters/,
    [`${'{a,b}'.repeat(7)}`]: /at most 64 patterns/,
  };
  for (const [pattern, expected] of Object.entries(refused)) {
    it(`'${pattern.slice(0, 20)}' is refused`, () => {
      assert.throws(
        () => compilePattern(pattern),
        (error) => error instanceof PatternError && expected.test(error.message),
      );
    });
  }

  it('is matched within milliseconds for any pattern and text', () => {
    const hostile: [pattern: string, text: string][] = [
      ['*-*-*-*-*.jpg', '-'.repeat(251)],
      [`${'*a'.repeat(127)}b`, 'a'.repeat(255)],
      [`*${'a'.repeat(120)}b`, 'a'.repeat(255)],
      [`${'{,a}'.repeat(6)}*${'a'.repeat(110)}*${'a'.repeat(110)}b`, 'a'.repeat(255)],
      [`${'*?'.repeat(127)}`, '/'.repeat(255)],
      [`${'[!a-zA-Z]*'.repeat(25)}.`, '-'.repeat(255)],
    ];
    for (const [pattern, text] of hostile) {
      const isFit = compilePattern(pattern);
      const startedAt = performance.now();
      isFit(text);
      const ms = performance.now() - startedAt;
      assert.ok(ms < 250, `${pattern}: ${ms} ms`);
    }
  });

  it('of a retention rule sees no type longer than the limit', () => {
    const { expiryOf } = compileRetention({
      rules: [{ contentType: `${'{,a}'.repeat(6)}*a*a*a*a*b`, expiresAfterMs: 1 }],
    });
    const upload = { key: 's/f', size: 1, contentType: `a/${'a'.repeat(16_000)}`, modifiedAt: 0 };
    const startedAt = performance.now();
    assert.equal(expiryOf(upload), undefined);
    assert.ok(performance.now() - startedAt < 250);
  });
});
