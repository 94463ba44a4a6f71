import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { redact } from '../../src/redact.js';

const digest = '7b8879e2d1c733b423a70cde30cecc3a3c64a03f790d1b5bcbb2a6aca52b477e';
const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJmaWxlc2l6ZSI6MjMwMjZ9.MAs9HyA1Pea2rISzzsLkvQ_3WtOaL0Zdf6iOmnmP1uY';

describe('a text without its tokens', () => {
  const redacted: Record<string, string> = {
    [`/f?v=${digest}`]: '/f?v=[redacted]',
    [`/f%3Fv=${digest}`]: '/f%3Fv=[redacted]',
    [`/f%3fv2%3d${digest}&x`]: '/f%3fv2%3d[redacted]&x',
    [`/f%253Ftoken%253D${digest}`]: '/f%253Ftoken%253D[redacted]',
    [`/f%3Fx=1%26v=${digest}`]: '/f%3Fx=1%26v=[redacted]',
    [`/f&v=${digest.toUpperCase()}`]: '/f&v=[redacted]',
    [`/f%3F${digest}`]: '/f%3F[redacted]',
    [`/f%3Fv=%20${digest}`]: '/f%3Fv=%20[redacted]',
    [`/f%3Fv%3d%22${digest}`]: '/f%3Fv%3d%22[redacted]',
    [`/f%3F%76:${digest}`]: '/f%3F%76:[redacted]',
    [`/f%EF%BC%9Fv=+${digest}`]: '/f%EF%BC%9Fv=+[redacted]',
    [`/f%253D${digest}`]: '/f%253D[redacted]',
    [`/f%3Fslot=${jwt}`]: '/f%3Fslot=[redacted]',
    [`/f%3Fslot%3D${jwt.replaceAll('.', '%2E')}`]: '/f%3Fslot%3D[redacted]',
    [`got "Bearer ${jwt}"`]: 'got "Bearer [redacted]"',
    [`/Bearer%20${jwt}/f`]: '/Bearer%20[redacted]/f',
    [`/b/k?X-Amz-Signature=${digest}&x-id=PutObject`]: '/b/k?X-Amz-Signature=[redacted]&x-id=PutObject',
  };
  for (const [text, expected] of Object.entries(redacted)) {
    it(`is ${expected}`, () => assert.equal(redact(text), expected));
  }

  const readable = [
    `/slot/${digest}.jpg`,
    `/${digest}/photo.jpg`,
    `/slot/sha256=${digest}`,
    `/slot/photo%20${digest}.jpg`,
    `/slot/lev=${digest}`,
    `/why%3F/${digest}.jpg`,
    `/slot/v=${digest.slice(1)}.jpg`,
    '/2ed681f17049ef21eba6d9ffe6a7c5eaf5193572/x/eyJ.tar.gz',
  ];
  for (const text of readable) {
    it(`is unchanged for ${text}`, () => assert.equal(redact(text), text));
  }
});
