import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { candidateTypes } from '../../src/token/candidate-types.js';
import { signDelete, verifyDeleteToken } from '../../src/token/delete-token.js';
import type { AnnouncedUpload, TokenSettings } from '../../src/token/token.js';
import { verifyToken } from '../../src/token/verify-token.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { v1Token, v2Token } from '../support/tokens.js';

const settings: TokenSettings = { secrets: ['mysecret'], strictContentType: false };
const slot = '57bb1d75-2bd7-46b2-8360-55301d168628';
const ejabberdUser = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';

function announce(key: string, size = 23026, contentType = ''): AnnouncedUpload {
  return { key: key as UploadKey, size, contentType };
}

function verify(query: string, upload: AnnouncedUpload, overrides: Partial<TokenSettings> = {}) {
  const source = { query: new URLSearchParams(query), authorization: undefined };
  return verifyToken(source, upload, { ...settings, ...overrides }, ['upload'], 0);
}

function refuses(query: string, upload: AnnouncedUpload, message: RegExp, overrides?: Partial<TokenSettings>) {
  return assert.rejects(verify(query, upload, overrides), { code: 'TOKEN_REFUSED', message });
}

describe('tokens that the issuers made', () => {
  const vectors: [string, AnnouncedUpload, string][] = [
    ['v', announce('thomas/abc/catmetal.jpg'), '7b8879e2d1c733b423a70cde30cecc3a3c64a03f790d1b5bcbb2a6aca52b477e'],
    [
      'v2',
      announce('thomas/abc/catmetal.jpg', 23026, 'image/jpeg'),
      '7318cd44d4c40731e3b2ff869f553ab2326eae631868e7b8054db20d4aee1c06',
    ],
    ['v', announce(`${slot}/très cool.jpg`), 'a7a94721fb1163e4c84ff9b47567ac3ef09da5fe1d79359fea59ccf39a1ffca4'],
    [
      'v2',
      announce(`${slot}/très cool.jpg`, 23026, 'image/jpeg'),
      'cc1939712815e9a85f92e07c5417941723500329ff95ea242d309341a31cb82f',
    ],
    [
      'token',
      announce(`${slot}/très cool.jpg`, 23026, 'image/jpeg'),
      'cc1939712815e9a85f92e07c5417941723500329ff95ea242d309341a31cb82f',
    ],
    ['v', announce(`${slot}/a+b & c%2F#?;.txt`), 'b88f38fee1629cd402dd398e3105286bd62ad0d4269873b0f5b97e2568107324'],
    ['v2', announce(`${slot}/photo.jpg`), '2e9beea2dac9c38209f4afdcfc79a5bcee6ae1b35486a445424256c129fc4cbd'],
    ['v', announce(`${slot}/empty.txt`, 0), '80f69e1339641213e53f7fabae25ea0319e3e647f213de958d73cf443a23dd35'],
    [
      'v',
      announce(`${ejabberdUser}/wqrMMc7txe2Ptcv1wSoAl8MWHGnLvFbPLql9Os9C/très_cool.jpg`),
      'dec33f3fa373e0e21372deddcb8f5038100c4af2b03b0122f9711a9ff4f8a20f',
    ],
  ];
  for (const [parameter, upload, digest] of vectors) {
    it(`accepts ?${parameter}= for ${upload.key}`, () =>
      assert.doesNotReject(verify(`${parameter}=${digest}`, upload)));
    it(`accepts ?${parameter}= for ${upload.key} with exactly one size`, () =>
      refuses(
        `${parameter}=${digest}`,
        { ...upload, size: upload.size + 1 },
        /another secret, or for another path, type or size/,
      ));
  }

  it("accepts and makes Metronome's token for a DELETE", () => {
    const key = `${slot}/très cool.jpg` as UploadKey;
    const token = 'token=e06c1e3139ab457a4bca8a07b51b35d0af9b5d36cfc621b3351da97d7f65b7e7';
    assert.equal(signDelete('mysecret', key, 'delsecret'), token);
    const query = new URLSearchParams(token);
    verifyDeleteToken(query, key, ['mysecret'], 'delsecret');
    for (const other of [
      ['mysecret', 'x', key],
      ['x', 'delsecret', key],
      ['mysecret', 'delsecret', 'a/b'],
    ] as const) {
      assert.throws(() => verifyDeleteToken(query, other[2] as UploadKey, [other[0]], other[1]), {
        code: 'TOKEN_REFUSED',
      });
    }
    assert.throws(() => verifyDeleteToken(new URLSearchParams(), key, ['mysecret'], 'delsecret'), {
      code: 'TOKEN_MISSING',
    });
  });
});

describe('the signed content type', () => {
  const signedFor = (type: string) => `v2=${v2Token('s/photo.jpg', 5, type)}`;
  const lenient: [string, string][] = [
    ['image/webp', 'image/webp'],
    ['text/plain; charset=utf-8', 'text/plain'],
    ['application/x-www-form-urlencoded', 'application/octet-stream'],
    ['application/octet-stream', 'image/jpeg'],
    ['image/jpeg', 'omemo'],
    ['', ''],
    ['text/plain;charset=utf-8', 'text/plain; charset=utf-8'],
    ['text/plain; charset=utf-8; format=flowed', 'text/plain;format=flowed;charset=utf-8'],
    ['Text/Plain; Charset="UTF-8"', 'text/plain; charset=utf-8'],
    ['text/plain', 'text/plain; charset=utf-8'],
    ['image/jpeg', 'image/jpg'],
    ['image/jpg', 'image/jpeg'],
  ];
  for (const [sent, signed] of lenient) {
    it(`is ${signed || 'empty'} when the PUT says ${sent || 'nothing'}`, async () => {
      assert.equal((await verify(signedFor(signed), announce('s/photo.jpg', 5, sent))).contentType, signed);
    });
  }

  // As QMimeDatabase names them by shared-mime-info 2.2 or 2.4.
  const unsent: [name: string, signed: string][] = [
    ['archive.tar.gz', 'application/x-compressed-tar'],
    ['README', 'text/x-readme'],
    ['README.txt', 'text/plain'],
    ['Makefile', 'text/x-makefile'],
    ['tone.wav', 'audio/vnd.wave'],
    ['tone.WAV', 'audio/x-wav'],
    ['a.flac', 'audio/flac'],
    ['a.heic', 'image/heif'],
    ['a.avi', 'video/x-msvideo'],
    ['a.avi', 'video/vnd.avi'],
    ['a.m4v', 'video/mp4'],
    ['a.m4a', 'audio/mp4'],
    ['a.m4a', 'audio/x-m4a'],
    ['a.log', 'text/x-log'],
    ['a.sh', 'application/x-shellscript'],
    ['a.py', 'text/x-python3'],
    ['a.yaml', 'application/x-yaml'],
    ['a.deb', 'application/vnd.debian.binary-package'],
    ['a.iso', 'application/x-cd-image'],
    ['a.txt', 'text/plain; charset=utf-8'],
    ['unknown', 'text/plain'],
  ];
  for (const [name, signed] of unsent) {
    it(`may be ${signed} if a PUT of ${name} says nothing`, async () => {
      const query = `v2=${v2Token(`s/${name}`, 5, signed)}`;
      assert.equal((await verify(query, announce(`s/${name}`, 5, ''))).contentType, signed);
    });
  }

  it('has few candidates, whatever the header and the name', () => {
    for (const [name, header] of [
      ['f.iso.ogg', 'text/plain; a=A; b=B; c=C'],
      ['f.sub.spx', `text/plain${'; a=b'.repeat(3000)}`],
      ['readme.tar.gz', 'x/y;'],
    ] as const) {
      const count = candidateTypes(announce(`s/${name}`, 5, header)).length;
      assert.ok(count <= 40, `${count}`);
    }
  });

  it('is not told by a PUT without a Content-Type, which the reason for a refusal says', async () => {
    await refuses(signedFor('image/png'), announce('s/photo.jpg', 5, ''), /5 bytes; no Content-Type was sent$/);
    const strict = { strictContentType: true };
    await refuses(signedFor('image/jpeg'), announce('s/photo.jpg', 5, ''), /is on; no Content-Type was sent$/, strict);
  });

  it('is read as latin1 bytes', async () => {
    const sent = Buffer.from('text/plain; name=é').toString('latin1');
    assert.equal((await verify(signedFor('text/plain; name=é'), announce('s/photo.jpg', 5, sent))).contentType, sent);
  });

  it('must be the signed one', () =>
    refuses(signedFor('image/png'), announce('s/photo.jpg', 5, 'image/gif'), /another secret/));

  it('must be the one sent if strictContentType is on', async () => {
    const strict = { strictContentType: true };
    await verify(signedFor('image/png'), announce('s/photo.jpg', 5, 'image/png'), strict);
    await refuses(signedFor('image/jpeg'), announce('s/photo.jpg', 5, 'image/png'), /strictContentType/, strict);
  });

  it('does not exist in v1: the media type sent counts, then the extension', async () => {
    const v1 = async (name: string, sent: string) =>
      (await verify(`v=${v1Token(name, 5)}`, announce(name, 5, sent))).contentType;
    assert.equal(await v1('s/photo.jpg', 'image/webp'), 'image/webp');
    assert.equal(await v1('s/photo.jpg', 'application/octet-stream'), 'image/jpeg');
    assert.equal(await v1('s/photo.jpg', 'omemo'), 'image/jpeg');
    assert.equal(await v1('s/photo', ''), 'application/octet-stream');
  });
});

describe('the token that counts', () => {
  const upload = announce('s/f.jpg', 5);
  const good = v1Token('s/f.jpg', 5);
  const goodV2 = v2Token('s/f.jpg', 5, 'image/jpeg');

  it('is the highest version, even if a lower one is valid', async () => {
    await refuses(`v2=${'0'.repeat(64)}&v=${good}`, upload, /^v2 token/);
    await refuses(`token=${'0'.repeat(64)}&v=${good}`, upload, /^token token/);
    await verify(`v=wrong&v2=${goodV2}`, upload);
  });

  it('is refused if a parameter is repeated', () => refuses(`v=${good}&v=${good}`, upload, /"v" is repeated/));

  it('is missing if no known parameter is present', () =>
    assert.rejects(verify(`v3=${good}`, upload), { code: 'TOKEN_MISSING' }));

  it('may be made with any of several secrets', async () => {
    const secrets = ['new', 'mysecret'];
    await verify(`v=${good}`, upload, { secrets });
    await verify(`v=${v1Token('s/f.jpg', 5, 'new')}`, upload, { secrets });
    await refuses(`v=${v1Token('s/f.jpg', 5, 'old')}`, upload, /another secret/, { secrets });
  });
});

describe('the reason for a refusal', () => {
  it('names a malformed digest', async () => {
    const upload = announce('s/f', 5);
    await refuses('v=', upload, /64 lowercase hex/);
    await refuses(`v=${v1Token('s/f', 5).toUpperCase()}`, upload, /64 lowercase hex/);
  });

  it('names a token of another version', () =>
    refuses(`v2=${v1Token('s/f', 5)}`, announce('s/f', 5), /is a v1 token in the parameter "v2"/));

  it('names a doubled prefix', () =>
    refuses(`v=${v1Token('s/f', 5)}`, announce('upload/s/f', 5), /prefix upload\/ twice/));

  it('names a prefix that was signed', () =>
    refuses(`v=${v1Token('upload/s/f', 5)}`, announce('s/f', 5), /including the prefix upload\//));

  it('names a path that was encoded twice', () =>
    refuses(`v=${v1Token('s/a b', 5)}`, announce('s/a%20b', 5), /percent-encoded twice/));

  it('never contains the token', async () => {
    const digest = v1Token('s/f', 6);
    await assert.rejects(verify(`v=${digest}`, announce('s/f', 5)), (error: Error) => !error.message.includes(digest));
  });
});
