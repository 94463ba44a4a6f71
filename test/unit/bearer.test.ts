import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { bearer, prosodysBearer } from '../support/tokens.js';

const issuedAt = 1_700_000_000;
const claims = {
  slot: 'o35x3G_omPCeWzZw',
  filename: 'très cool.jpg',
  filesize: 23026,
  filetype: 'image/jpeg',
  sub: 'romeo@example.org',
  iat: issuedAt,
  exp: issuedAt + 300,
  expires: 1_700_604_800,
};

interface Attempt {
  readonly key?: string;
  readonly size?: number;
  readonly at?: number;
  readonly secrets?: string[];
}

function verify(authorization: string, { key, size = 23026, at = issuedAt, secrets = ['mysecret'] }: Attempt = {}) {
  const upload = { key: (key ?? `${claims.slot}/${claims.filename}`) as UploadKey, size, contentType: 'text/html' };
  const source = { query: new URLSearchParams(), authorization };
  return verifyToken(source, upload, { secrets, strictContentType: false }, ['upload'], at * 1000);
}

describe('a Bearer token', () => {
  it('made by Prosody gives type, uploader and expiry', async () => {
    assert.deepEqual(await verify(prosodysBearer), {
      contentType: 'image/jpeg',
      uploader: 'romeo@example.org',
      expiresAt: 1_700_604_800_000,
    });
  });

  it('is valid until its exp and not after', async () => {
    await verify(prosodysBearer, { at: issuedAt + 299 });
    await assert.rejects(verify(prosodysBearer, { at: issuedAt + 301 }), {
      code: 'TOKEN_REFUSED',
      message: /expired 1 s ago/,
    });
  });

  it('allows exactly one size', () =>
    assert.rejects(verify(prosodysBearer, { size: 23027 }), { code: 'SIZE_REFUSED' }));

  it('may be signed with any of several secrets', () =>
    assert.doesNotReject(verify(prosodysBearer, { secrets: ['new', 'mysecret'] })));

  it('may omit expiry and type', async () => {
    const { expires, filetype, ...bare } = claims;
    const grant = await verify(bearer(bare));
    assert.deepEqual([grant.expiresAt, grant.contentType], [undefined, 'application/octet-stream']);
  });

  it('is not recognised in another header or scheme', async () => {
    for (const header of [
      '',
      'Bearer',
      'Bearer x',
      'Bearer a.b',
      'Basic cm9tZW86cHc=',
      prosodysBearer.slice(7),
      `${prosodysBearer}.x`,
    ]) {
      await assert.rejects(verify(header), { code: 'AUTHORIZATION_MALFORMED' });
    }
  });

  const refused: Record<string, [string, Attempt?]> = {
    'with another secret': [bearer(claims, { key: 'other' })],
    'with the algorithm none': [`${bearer(claims, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`],
    'with another algorithm': [bearer(claims, { alg: 'HS512' })],
    'without exp': [bearer({ ...claims, exp: undefined })],
    'with an exp that is no number': [bearer({ ...claims, exp: 'never' })],
    'with an expires that is no number': [bearer({ ...claims, expires: '1700604800' })],
    'that is no JSON': ['Bearer bm8.bm8.bm8'],
    'for another slot': [prosodysBearer, { key: `other/${claims.filename}` }],
    'for another file name': [prosodysBearer, { key: `${claims.slot}/other.jpg` }],
    'for a longer path': [prosodysBearer, { key: `${claims.slot}/x/${claims.filename}` }],
    'whose slot holds a slash': [bearer({ ...claims, slot: 'a/b' }), { key: `a/b/${claims.filename}` }],
    'whose file is expired already': [bearer({ ...claims, expires: issuedAt })],
  };
  for (const [what, [header, attempt]] of Object.entries(refused)) {
    it(`is refused ${what}`, () => assert.rejects(verify(header, attempt), { code: 'TOKEN_REFUSED' }));
  }

  it('is refused if its size is not a number', () =>
    assert.rejects(verify(bearer({ ...claims, filesize: '23026' })), { code: 'SIZE_REFUSED' }));
});
