import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { bearer } from '../support/tokens.js';

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
/** Made by the util.jwt of Prosody 0.12.3 with "mysecret". */
const prosodys =
  'Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJmaWxlc2l6ZSI6MjMwMjYsImV4cCI6MTcwMDAwMDMwMCwiZmlsZXR5cGUiOiJpbWFnZS9qcGVnIiwiaWF0IjoxNzAwMDAwMDAwLCJzdWIiOiJyb21lb0BleGFtcGxlLm9yZyIsInNsb3QiOiJvMzV4M0dfb21QQ2VXelp3IiwiZXhwaXJlcyI6MTcwMDYwNDgwMCwiZmlsZW5hbWUiOiJ0csOocyBjb29sLmpwZyJ9.EgDmJaMQy4zBZt5w-30Z1MXceYkux3PnEOdm-Ju-bEA';

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
  it("of Prosody's own making gives type, uploader and expiry", async () => {
    assert.deepEqual(await verify(prosodys), {
      contentType: 'image/jpeg',
      uploader: 'romeo@example.org',
      expiresAt: 1_700_604_800_000,
    });
  });

  it('is valid until its exp, and then not', async () => {
    await verify(prosodys, { at: issuedAt + 299 });
    await assert.rejects(verify(prosodys, { at: issuedAt + 301 }), {
      code: 'TOKEN_REFUSED',
      message: /expired 1 s ago/,
    });
  });

  it('allows one size only', () => assert.rejects(verify(prosodys, { size: 23027 }), { code: 'SIZE_REFUSED' }));

  it('may be signed with any of several secrets', () =>
    assert.doesNotReject(verify(prosodys, { secrets: ['new', 'mysecret'] })));

  it('may say nothing of expiry and type', async () => {
    const { expires, filetype, ...bare } = claims;
    const grant = await verify(bearer(bare));
    assert.deepEqual([grant.expiresAt, grant.contentType], [undefined, 'application/octet-stream']);
  });

  it('is no Bearer token otherwise', async () => {
    for (const header of [
      '',
      'Bearer',
      'Bearer x',
      'Bearer a.b',
      'Basic cm9tZW86cHc=',
      prosodys.slice(7),
      `${prosodys}.x`,
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
    'for another slot': [prosodys, { key: `other/${claims.filename}` }],
    'for another file name': [prosodys, { key: `${claims.slot}/other.jpg` }],
    'for a longer path': [prosodys, { key: `${claims.slot}/x/${claims.filename}` }],
    'whose slot holds a slash': [bearer({ ...claims, slot: 'a/b' }), { key: `a/b/${claims.filename}` }],
    'whose file is expired already': [bearer({ ...claims, expires: issuedAt })],
  };
  for (const [what, [header, attempt]] of Object.entries(refused)) {
    it(`is refused ${what}`, () => assert.rejects(verify(header, attempt), { code: 'TOKEN_REFUSED' }));
  }

  it('is refused with a claimed size that is no number', () =>
    assert.rejects(verify(bearer({ ...claims, filesize: '23026' })), { code: 'SIZE_REFUSED' }));
});
