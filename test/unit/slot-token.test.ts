import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signPut } from '../../src/token/sign-token.js';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { bearer, jwt, prosodysBearer, slotTyp, v1Token } from '../support/tokens.js';

const issuedAt = 1_700_000_000;
const uploader = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';
const path = `${uploader}/wqrMMc7txe2Ptcv1wSoAl8MWHGnLvFbPLql9Os9C/très cool.jpg`;
const claims = {
  path,
  filesize: 23026,
  filetype: 'image/jpeg',
  sub: uploader,
  iat: issuedAt,
  exp: issuedAt + 300,
};
const token = jwt(claims, { typ: slotTyp });

interface Attempt {
  readonly key?: string;
  readonly size?: number;
  readonly at?: number;
  readonly secrets?: string[];
  readonly authorization?: string;
}

function verifyQuery(query: string, attempt: Attempt = {}) {
  const { key = path, size = 23026, at = issuedAt, secrets = ['mysecret'], authorization } = attempt;
  const upload = { key: key as UploadKey, size, contentType: 'text/html' };
  const source = { query: new URLSearchParams(query), authorization };
  return verifyToken(source, upload, { secrets, strictContentType: true }, ['upload'], at * 1000);
}

const verify = (slotToken: string, attempt?: Attempt) => verifyQuery(`slot=${slotToken}`, attempt);

describe("our own slots' token", () => {
  it('sets type and uploader, whatever type the PUT announces', async () => {
    const grant = { contentType: 'image/jpeg', uploader, expiresAt: undefined, quota: undefined, purpose: undefined };
    assert.deepEqual(await verify(token), grant);
  });

  it('is the one that signing makes, and contains no JID and no extra claim', async () => {
    const slot = { key: path as UploadKey, size: 23026, contentType: 'image/jpeg' };
    const { query, headers } = await signPut('slot', 'mysecret', slot, { now: issuedAt * 1000, uploader });
    assert.deepEqual(headers, {});
    const [header = '', payload = ''] = query.replace(/^slot=/, '').split('.');
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
    assert.deepEqual([decode(header), decode(payload)], [{ alg: 'HS256', typ: slotTyp }, claims]);
    assert.equal(new URLSearchParams(query).get('slot'), query.slice('slot='.length));
  });

  it('may set the expiry', async () => {
    const { expiresAt } = await verify(jwt({ ...claims, expires: issuedAt + 9 }, { typ: slotTyp }));
    assert.equal(expiresAt, (issuedAt + 9) * 1000);
  });

  it("may name the uploader's table of quotas, which no Bearer token does", async () => {
    const slot = { key: path as UploadKey, size: 23026, contentType: 'image/jpeg' };
    const { query } = await signPut('slot', 'mysecret', slot, { now: issuedAt * 1000, uploader, quota: 'table' });
    assert.equal((await verifyQuery(query)).quota, 'table');
    assert.equal((await verify(jwt({ ...claims, quota: {} }, { typ: slotTyp }))).quota, undefined);
    const named = { slot: 's', filename: 'f', filesize: 23026, sub: 'a@b', exp: issuedAt + 300, quota: 'table' };
    const grant = await verifyQuery('', { key: 's/f', authorization: bearer(named) });
    assert.deepEqual([grant.uploader, grant.quota], ['a@b', undefined]);
  });

  it('may name a purpose, which no Bearer token does', async () => {
    const slot = { key: path as UploadKey, size: 23026, contentType: 'image/jpeg' };
    const { query } = await signPut('slot', 'mysecret', slot, { now: issuedAt * 1000, uploader, purpose: 'profile' });
    assert.equal((await verifyQuery(query)).purpose, 'profile');
    assert.equal((await verify(jwt({ ...claims, purpose: 'another' }, { typ: slotTyp }))).purpose, undefined);
    const named = { slot: 's', filename: 'f', filesize: 23026, sub: 'a@b', exp: issuedAt + 300, purpose: 'profile' };
    assert.equal((await verifyQuery('', { key: 's/f', authorization: bearer(named) })).purpose, undefined);
  });

  it('is valid for paths of any depth', async () => {
    for (const key of ['f', 'a/b', 'a/b/c/d']) await verify(jwt({ ...claims, path: key }, { typ: slotTyp }), { key });
  });

  it('is valid until its exp and not after', async () => {
    await verify(token, { at: issuedAt + 299 });
    await assert.rejects(verify(token, { at: issuedAt + 301 }), { code: 'TOKEN_REFUSED', message: /expired 1 s ago/ });
  });

  it('allows exactly one size', () => assert.rejects(verify(token, { size: 23027 }), { code: 'SIZE_REFUSED' }));

  it('may be signed with any of several secrets', () =>
    assert.doesNotReject(verify(token, { secrets: ['new', 'mysecret'] })));

  it('takes precedence over all others', async () => {
    const query = `v=${v1Token(path, 23026)}&slot=x`;
    await assert.rejects(verifyQuery(query, { authorization: prosodysBearer }), { message: /^slot token: / });
  });

  const refused: Record<string, [string, RegExp, Attempt?]> = {
    'with another secret': [jwt(claims, { typ: slotTyp, key: 'other' }), /another secret/],
    'with the algorithm none': [jwt(claims, { typ: slotTyp, alg: 'none' }).replace(/[^.]*$/, ''), /alg/],
    'with another algorithm': [jwt(claims, { typ: slotTyp, alg: 'HS512' }), /alg/],
    'with no typ': [jwt(claims, { typ: '' }), /typ/],
    'without exp': [jwt({ ...claims, exp: undefined }, { typ: slotTyp }), /exp/],
    'without a path': [jwt({ ...claims, path: undefined }, { typ: slotTyp }), /another path/, { key: 'undefined' }],
    'that is empty': ['', /Invalid/],
    'that is no JWT': ['a.b.c', /Invalid|JOSE|invalid/],
    'for another path': [token, /another path/, { key: path.replace('.jpg', '.png') }],
    'for a path under it': [token, /another path/, { key: `${path}/x` }],
    'for a path with a doubled prefix': [token, /has the prefix upload\/ twice/, { key: `upload/${path}` }],
    'for a path that was encoded twice': [token, /encoded twice/, { key: path.replace(' ', '%20') }],
    'whose file is expired already': [
      jwt({ ...claims, expires: issuedAt }, { typ: slotTyp }),
      /expiry of the file has passed/,
    ],
  };
  for (const [what, [slotToken, message, attempt]] of Object.entries(refused)) {
    it(`is refused ${what}`, () => assert.rejects(verify(slotToken, attempt), { code: 'TOKEN_REFUSED', message }));
  }

  it('is refused when it is repeated', () =>
    assert.rejects(verifyQuery(`slot=${token}&slot=${token}`), {
      code: 'TOKEN_REFUSED',
      message: /"slot" is repeated/,
    }));
});

describe("our token and Prosody's", () => {
  const both = { ...claims, path: 's/f', slot: 's', filename: 'f' };

  it('are never confused, even with all claims of both', async () => {
    const bearersJwt = bearer(both).slice('Bearer '.length);
    await assert.rejects(verify(bearersJwt, { key: 's/f' }), { code: 'TOKEN_REFUSED', message: /typ/ });
    const authorization = `Bearer ${jwt(both, { typ: slotTyp })}`;
    await assert.rejects(verifyQuery('', { authorization, key: 's/f' }), { code: 'TOKEN_REFUSED', message: /typ/ });
    await verify(jwt(both, { typ: slotTyp }), { key: 's/f' });
    await verifyQuery('', { authorization: bearer(both), key: 's/f' });
  });
});
