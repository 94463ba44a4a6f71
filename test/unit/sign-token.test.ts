import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signPut, tokenSchemes } from '../../src/token/sign-token.js';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { prosodysBearer } from '../support/tokens.js';

const slot = '57bb1d75-2bd7-46b2-8360-55301d168628';
const issuedAt = 1_700_000_000_000;

function slotFor(key: string, contentType = 'image/jpeg', size = 23026) {
  return { key: key as UploadKey, size, contentType };
}

/** Header and claims of a Bearer token. */
function partsOf(authorization: string) {
  const [header = '', claims = ''] = authorization.replace('Bearer ', '').split('.');
  return [header, claims].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
}

describe('signing as the issuers do', () => {
  const vectors = [
    ['v1', 'thomas/abc/catmetal.jpg', 'v=7b8879e2d1c733b423a70cde30cecc3a3c64a03f790d1b5bcbb2a6aca52b477e'],
    ['v2', 'thomas/abc/catmetal.jpg', 'v2=7318cd44d4c40731e3b2ff869f553ab2326eae631868e7b8054db20d4aee1c06'],
    ['v1', `${slot}/très cool.jpg`, 'v=a7a94721fb1163e4c84ff9b47567ac3ef09da5fe1d79359fea59ccf39a1ffca4'],
    ['v2', `${slot}/très cool.jpg`, 'v2=cc1939712815e9a85f92e07c5417941723500329ff95ea242d309341a31cb82f'],
    ['token', `${slot}/très cool.jpg`, 'token=cc1939712815e9a85f92e07c5417941723500329ff95ea242d309341a31cb82f'],
  ] as const;
  for (const [scheme, key, query] of vectors) {
    it(`makes their ${scheme} token for ${key}`, async () => {
      assert.deepEqual(await signPut(scheme, 'mysecret', slotFor(key)), { query, headers: {} });
    });
  }

  it("makes Prosody's Bearer token, except for the order of its claims", async () => {
    const options = { now: issuedAt, uploader: 'romeo@example.org', expiresAt: 1_700_604_800_000 };
    const { query, headers } = await signPut('bearer', 'mysecret', slotFor('o35x3G_omPCeWzZw/très cool.jpg'), options);
    assert.equal(query, '');
    const { Authorization: signed = '' } = headers;
    assert.deepEqual(partsOf(signed), partsOf(prosodysBearer));
  });

  it('makes no Bearer token for a path that is not slot/filename', async () => {
    for (const key of ['f', 'a/b/f']) {
      await assert.rejects(signPut('bearer', 'mysecret', slotFor(key)), { code: 'KEY_INVALID' });
    }
  });
});

for (const scheme of tokenSchemes) {
  describe(`an upload signed with ${scheme}`, () => {
    const contentType = 'text/plain; name=é';
    const verify = async (size: number, now = issuedAt) => {
      const { query, headers } = await signPut(scheme, 'mysecret', slotFor('slot/f', contentType), { now: issuedAt });
      const announced = { ...slotFor('slot/f'), size, contentType: Buffer.from(contentType).toString('latin1') };
      const source = { query: new URLSearchParams(query), authorization: headers['Authorization'] };
      return verifyToken(source, announced, { secrets: ['mysecret'], strictContentType: true }, ['upload'], now);
    };

    it('is allowed', () => assert.doesNotReject(verify(23026)));
    it('is not allowed with another size', () => assert.rejects(verify(23027), { code: /REFUSED/ }));
    if (scheme === 'bearer' || scheme === 'slot') {
      it('is allowed for five minutes', async () => {
        await verify(23026, issuedAt + 299_000);
        await assert.rejects(verify(23026, issuedAt + 301_000), { code: 'TOKEN_REFUSED', message: /expired/ });
      });
    }
  });
}
