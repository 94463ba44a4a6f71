import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FilerError } from '../../src/errors.js';
import { planSlot, requireAccess, type SlotRequest, type SlotSettings } from '../../src/slots/slot-policy.js';
import { encodedPath } from '../../src/upload/encoded-path.js';
import { parseUploadKey, uploaderIdOfKey } from '../../src/upload/upload-key.js';
import { bareJid } from '../../src/upload/uploader.js';
import { ids } from '../support/uploader-ids.js';

const settings: SlotSettings = {
  access: ['example.org', 'friend@example.net'],
  maxFileSize: 1000,
  allowedTypes: [],
  purposes: [],
};

function plan(request: Partial<SlotRequest>, allowedTypes: string[] = []) {
  const whole = { filename: 'f.jpg', size: '10', contentType: undefined, ...request };
  return planSlot({ uploader: ids.ofMysecret }, whole, { ...settings, allowedTypes });
}

describe('permission to ask for slots', () => {
  const cases: Record<string, boolean> = {
    'romeo@example.org': true,
    'example.org': true,
    'Romeo@Example.ORG/orchard/x@example.com': true,
    'friend@example.net/phone': true,
    'stranger@example.net': false,
    'example.net': false,
    'romeo@sub.example.org': false,
    'romeo@badexample.org': false,
    'example.org@example.com': false,
    'x@example.com/romeo@example.org': false,
    '': false,
  };
  for (const [from, isAllowed] of Object.entries(cases)) {
    it(`'${from}': ${isAllowed}`, () => {
      const ask = () => requireAccess(bareJid(from), settings);
      if (isAllowed) ask();
      else assert.throws(ask, { code: 'UPLOADER_REFUSED' });
    });
  }
});

describe('a planned slot', () => {
  it('has a key that starts with the id of the uploader and ends with the unchanged name', () => {
    const { key, uploader } = plan({ filename: ' très “cool” %41+.tar.gz ' });
    assert.match(key, /^[0-9a-f]{64}\/[\w-]{40}\/ très “cool” %41\+\.tar\.gz $/);
    assert.deepEqual([uploaderIdOfKey(key), uploader], [ids.ofMysecret, ids.ofMysecret]);
  });

  const shortened: Record<string, readonly [name: string, kept: string]> = {
    '130 Cyrillic letters': ['ф'.repeat(130), 'ф'.repeat(127)],
    '90 Chinese characters and an extension': [`${'語'.repeat(90)}.jpg`, `${'語'.repeat(83)}.jpg`],
    'two extensions': [`${'x'.repeat(300)}.tar.gz`, `${'x'.repeat(248)}.tar.gz`],
    'a long word behind a dot': [`a.${'x'.repeat(300)}`, `a.${'x'.repeat(253)}`],
    'emoji of several code points': [`${'👨‍👩‍👧‍👦'.repeat(20)}.png`, `${'👨‍👩‍👧‍👦'.repeat(10)}.png`],
    'letters with accents of their own': [`x${'e\u0301'.repeat(100)}`, `x${'e\u0301'.repeat(84)}`],
  };
  for (const [what, [filename, kept]] of Object.entries(shortened)) {
    it(`has a name of 255 bytes at most, with whole characters and the extension: ${what}`, () => {
      assert.equal(plan({ filename }).key.split('/')[2], kept);
    });
  }

  it('has a unique key', () => {
    assert.equal(new Set(Array.from({ length: 1000 }, () => plan({}).key)).size, 1000);
  });

  it('may have size 0 and the maximum size', () => {
    assert.equal(plan({ size: '0' }).size, 0);
    assert.equal(plan({ size: '1000' }).size, 1000);
    assert.throws(() => plan({ size: '1001' }), { code: 'SIZE_REFUSED', message: /1001 bytes .* maxFileSize, 1000/ });
    assert.throws(() => plan({ size: '9'.repeat(15) }), { code: 'SIZE_REFUSED' });
  });

  for (const size of [undefined, '', '-1', '+1', '1e3', '0x10', ' 1', '1.0', 'NaN', '١', '1'.repeat(16), '1\n']) {
    it(`is refused for the size ${JSON.stringify(size)}`, () =>
      assert.throws(() => plan({ size }), { code: 'REQUEST_INVALID' }));
  }

  for (const filename of [
    undefined,
    '',
    '.',
    '..',
    'a/b',
    '/',
    'a\nb',
    '\0',
    '\u001b',
    `a${'\u0301'.repeat(130)}.jpg`,
  ]) {
    it(`is refused for the name ${JSON.stringify(filename?.slice(0, 10))}`, () =>
      assert.throws(() => plan({ filename }), { code: 'REQUEST_INVALID' }));
  }

  it('keeps an announced type, and ignores an invalid one', () => {
    assert.equal(plan({ contentType: 'text/plain; charset=utf-8' }).contentType, 'text/plain; charset=utf-8');
    for (const contentType of ['', 'omemo', 'a/b, c/d', 'a/b\r\nX: y', `a/${'b'.repeat(254)}`]) {
      assert.equal(plan({ contentType }).contentType, undefined);
    }
  });

  it('must have an allowed type; without an announced one, that of its name', () => {
    const allowed = ['image/*', 'Application/PDF'];
    plan({ contentType: 'IMAGE/png; x=y' }, allowed);
    plan({ contentType: 'application/pdf', filename: 'f' }, allowed);
    assert.equal(plan({ filename: 'f.webp' }, allowed).contentType, 'image/webp');
    for (const request of [{ contentType: 'text/html' }, { filename: 'f.exe' }, { filename: 'f' }]) {
      assert.throws(() => plan(request, allowed), { code: 'TYPE_REFUSED' });
    }
  });

  it('has a URL of plain characters that the server decodes to its key, for any name', () => {
    const base = 'https://uploads.example.org/upload/';
    const anyName = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 60 }));
    let planned = 0;
    const property = fc.property(anyName, (filename) => {
      try {
        const { key } = plan({ filename });
        planned += 1;
        const url = base + encodedPath(key);
        assert.match(url, /^https:\/\/[\w./~%-]+$/);
        assert.equal(new URL(url).href, url);
        assert.equal(parseUploadKey(new URL(url).pathname, ['upload']), key);
      } catch (error) {
        if (!(error instanceof FilerError)) throw error;
        assert.equal(error.code, 'REQUEST_INVALID');
      }
    });
    fc.assert(property, { numRuns: 2000 });
    assert.ok(planned > 500);
  });
});
