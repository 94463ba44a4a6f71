import assert from 'node:assert/strict';
import { validateHeaderValue } from 'node:http';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { evaluateConditions, matchesIfRange } from '../../src/http/conditional.js';
import { contentHeaders } from '../../src/http/headers.js';
import { parseRange } from '../../src/http/range.js';
import { mayShowInline, servableType, typeOfName } from '../../src/upload/content-type.js';
import type { UploadKey } from '../../src/upload/upload-key.js';

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

const fileName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((name) => !/\/|(?![\u007f-\u009f])\p{Cc}/u.test(name));

describe('parseRange', () => {
  it('stays within the upload for any header', () => {
    const number = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.constant(''));
    const header = fc.oneof(
      anyText,
      fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
      fc
        .array(fc.constantFrom('bytes', '=', '-', ',', ' ', '0', '9', '1e3', '0x1', '.'))
        .map((parts) => parts.join('')),
    );
    const property = fc.property(header, fc.oneof(fc.nat({ max: 3 }), fc.maxSafeNat()), (text, size) => {
      const range = parseRange(text, size);
      if (range === undefined || range === 'unsatisfiable') return;
      assert.ok(Number.isSafeInteger(range.first) && Number.isSafeInteger(range.last), JSON.stringify(range));
      assert.ok(0 <= range.first && range.first <= range.last && range.last < size, JSON.stringify(range));
    });
    fc.assert(property, { numRuns: 3000 });
  });
});

describe('content types', () => {
  const type = fc.oneof(
    anyText,
    fc.constantFrom('image/png', 'text/html, image/png', 'image/svg+xml', 'a/b; c="\\"" ', 'a/b\r\nX: y', 'omemo'),
    fc
      .array(fc.constantFrom('image', 'text', '/', ';', '=', '"', '\\', ' ', ',', 'a', '\t', '\n', '+xml'))
      .map((parts) => parts.join('')),
  );

  it('that are served are legal header values and media types', () => {
    const property = fc.property(type, (value) => {
      const served = servableType(value);
      validateHeaderValue('content-type', served);
      assert.match(served, /^[\x20-\x7e]+\/[\x20-\x7e]+$/);
      assert.equal(servableType(served), served);
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('that may run in a browser are never shown inline', () => {
    const property = fc.property(type, (value) => {
      if (mayShowInline(value)) assert.match(servableType(value), /^(text\/plain|(image|video|audio)\/[^;,]+)( *;|$)/i);
      // What browsers take for HTML or XML, which may hold scripts (WHATWG MIME Sniffing §4.6).
      if (/^(text\/html|[^;]*\+xml) *(;|$)/i.test(value)) assert.equal(mayShowInline(value), false);
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('and names of any upload result in legal headers', () => {
    const property = fc.property(fileName, type, (name, value) => {
      const contentType = servableType(value);
      const upload = { contentType, size: 1, modifiedAt: 0, etag: '"0-1"', writeTo: async () => {}, close: () => {} };
      const headers = contentHeaders(`slot/${name}` as UploadKey, upload);
      for (const [header, text] of Object.entries(headers)) validateHeaderValue(header, text);
      validateHeaderValue('content-type', typeOfName(name));
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

describe('conditions', () => {
  const etag = '"65f0-5"';
  const value = fc.option(
    fc.oneof(
      anyText,
      fc.constantFrom('*', etag, `W/${etag}`, `"a", ${etag}`, 'Thu, 01 Jan 1970 00:00:00 GMT', '0', '"'),
    ),
    { nil: undefined },
  );
  const headers = fc.record({
    'if-match': value,
    'if-none-match': value,
    'if-modified-since': value,
    'if-unmodified-since': value,
  });

  it('have one of three outcomes, and never 304 if If-None-Match lacks the tag', () => {
    const property = fc.property(headers, fc.nat(), (given, modifiedAt) => {
      const present = Object.fromEntries(Object.entries(given).filter(([, text]) => text !== undefined));
      const outcome = evaluateConditions(present, { etag, modifiedAt });
      assert.ok(['send', 'not-modified', 'precondition-failed'].includes(outcome));
      const none = present['if-none-match'];
      if (none !== undefined && none.trim() !== '*' && !none.includes(etag)) assert.notEqual(outcome, 'not-modified');
      if (Object.keys(present).length === 0) assert.equal(outcome, 'send');
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('accept If-Range with exactly the tag or the date', () => {
    const property = fc.property(value, fc.nat(), (ifRange, modifiedAt) => {
      const isExact = ifRange === undefined || ifRange === etag || ifRange === new Date(modifiedAt).toUTCString();
      assert.equal(matchesIfRange(ifRange, { etag, modifiedAt }), isExact);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
