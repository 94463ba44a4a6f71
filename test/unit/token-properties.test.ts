import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FilerError } from '../../src/errors.js';
import type { AnnouncedUpload } from '../../src/token/token.js';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { bearer, secret, v1Token, v2Token } from '../support/tokens.js';

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

describe('verifyToken', () => {
  const now = 1_700_000_000_000;
  const settings = { secrets: [secret, 'another'], strictContentType: false };
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
  const anySize = fc.nat({ max: 3 });
  const announced = fc.record({
    key: fc.constantFrom('slot/f.jpg', 'a/b/c', 'f') as fc.Arbitrary<UploadKey>,
    size: anySize,
    contentType: fc.oneof(fc.constantFrom('', 'image/png', 'image/png; x=y'), anyText),
  });

  /** The grant, or `undefined` if it is refused; any other error fails the property. */
  async function verify(pairs: [string, string][], authorization: string | undefined, upload: AnnouncedUpload) {
    try {
      return await verifyToken({ query: new URLSearchParams(pairs), authorization }, upload, settings, ['upload'], now);
    } catch (error) {
      if (error instanceof FilerError) return undefined;
      throw error;
    }
  }

  it('accepts only the digest of this path and size in a query, and throws only refusals', async () => {
    const digestOfOther = fc
      .tuple(fc.constantFrom('slot/g.jpg', 'a/b/c/d', 'upload/f'), fc.nat())
      .map(([key, size]) => v1Token(key, size));
    const parameter = fc.oneof(fc.constantFrom('v', 'v2', 'token', 'slot', 'V', 'v3'), anyText);
    const pairs = fc.array(fc.tuple(parameter, fc.oneof(hex, digestOfOther, anyText)), { maxLength: 4 });
    const property = fc.asyncProperty(pairs, announced, async (query, upload) => {
      assert.equal(await verify(query, undefined, upload), undefined);
    });
    await fc.assert(property, { numRuns: 2000 });
  });

  it('refuses a digest with one character changed', async () => {
    const change = fc.tuple(fc.nat({ max: 63 }), fc.constantFrom(...'0123456789abcdefABCDEF g'));
    const property = fc.asyncProperty(announced, change, async (upload, [at, character]) => {
      for (const [parameter, digest] of [
        ['v', v1Token(upload.key, upload.size)],
        ['v2', v2Token(upload.key, upload.size, 'application/octet-stream')],
      ] as const) {
        const changed = digest.slice(0, at) + character + digest.slice(at + 1);
        const grant = await verify([[parameter, changed]], undefined, upload);
        assert.equal(grant !== undefined, changed === digest);
      }
    });
    await fc.assert(property, { numRuns: 500 });
  });

  it('accepts only Authorization headers signed with the secret, and throws only refusals', async () => {
    const claims = fc.record({
      slot: fc.constantFrom('slot', 'f'),
      filename: fc.constantFrom('f.jpg', 'f'),
      filesize: anySize,
      filetype: fc.anything(),
      exp: fc.oneof(fc.constant(now / 1000 + 300), fc.integer(), fc.anything()),
      expires: fc.oneof(fc.constantFrom(undefined, now / 1000 + 3000), fc.integer(), fc.anything()),
    });
    const serialisable = claims.filter((value) => {
      try {
        return JSON.stringify(value) !== undefined;
      } catch {
        return false;
      }
    });
    const unsigned = fc.oneof(
      anyText,
      anyText.map((text) => `Bearer ${text}`),
      fc
        .tuple(serialisable, fc.constantFrom('HS256', 'none', 'HS512', 'RS256'))
        .map(([object, alg]) => bearer(object, { alg, key: 'wrong' })),
      serialisable.map((object) => bearer(object, { alg: 'none' })),
      serialisable.map((object) => bearer(object).replace(/\.[^.]*$/, '.')),
    );
    const property = fc.asyncProperty(unsigned, announced, async (authorization, upload) => {
      assert.equal(await verify([], authorization, upload), undefined);
    });
    await fc.assert(property, { numRuns: 1500 });

    let granted = 0;
    const signed = fc.asyncProperty(serialisable, announced, async (object, upload) => {
      if ((await verify([], bearer(object), upload)) === undefined) return;
      granted += 1;
      assert.equal(`${object.slot}/${object.filename}`, upload.key);
      assert.equal(object.filesize, upload.size);
      assert.ok(Number(object.exp) * 1000 > now);
    });
    await fc.assert(signed, { numRuns: 2000 });
    assert.ok(granted > 0, 'none was for its upload');
  });
});
