import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseUploadKey, type UploadKey, uploaderOfKey } from '../../src/upload/upload-key.js';
import { ids } from '../support/uploader-ids.js';

const base = ['upload'];

describe('parseUploadKey', () => {
  const accepted: [string, string][] = [
    ['/upload/abc/photo.jpg', 'abc/photo.jpg'],
    ['/upload/abc/tr%c3%a8s%20cool.jpg', 'abc/très cool.jpg'],
    ['/upload/abc/tr%C3%A8s%20cool.jpg', 'abc/très cool.jpg'],
    ['/upload/abc/a%2bb%20%26%20c%252F%23%3f%3b.txt', 'abc/a+b & c%2F#?;.txt'],
    ['/upload/abc/a+b.txt', 'abc/a+b.txt'],
    ['/upload/s%20lot/f', 's lot/f'],
    ['/upload/abc/...', 'abc/...'],
    ['/upload/abc/.hidden', 'abc/.hidden'],
    ['/upload/abc/.prosody-filer', 'abc/.prosody-filer'],
    ['/upload/abc/b%c3%83%c2%bcro%c2%85%7f', 'abc/bÃ¼ro\u0085\u007f'],
    [`/upload/abc/${'%e2%82%ac'.repeat(85)}`, `abc/${'€'.repeat(85)}`],
  ];
  for (const [path, key] of accepted) {
    it(`accepts ${path.slice(0, 60)}`, () => assert.equal(parseUploadKey(path, base), key));
  }

  const invalid = {
    'a dot segment': '/upload/abc/..',
    'an encoded dot segment': '/upload/abc/%2e%2E',
    'a dot segment in the middle': '/upload/../upload/abc/f',
    'a single dot': '/upload/abc/.',
    'an encoded slash': '/upload/abc/a%2fb',
    'an encoded NUL': '/upload/abc/a%00b',
    'a line feed': '/upload/abc/a%0ab',
    'an escape character': '/upload/abc/a%1bb',
    'an empty segment': '/upload/abc//f',
    'a folder': '/upload/abc/',
    'malformed percent-encoding': '/upload/abc/%zz',
    'overlong UTF-8': '/upload/abc/%c0%af',
    'a lone surrogate': '/upload/abc/%ed%a0%80',
    'latin1 in place of UTF-8': '/upload/abc/%e8',
  };
  for (const [what, path] of Object.entries(invalid)) {
    it(`refuses ${what}`, () => assert.throws(() => parseUploadKey(path, base), { code: 'KEY_INVALID' }));
  }

  it('refuses a name over 255 bytes, and says what to do', () => {
    assert.throws(() => parseUploadKey(`/upload/abc/${'%d1%84'.repeat(130)}`, base), {
      code: 'NAME_TOO_LONG',
      message: /260 bytes.* 255; the user has to shorten the name/,
    });
  });

  const outside = ['/', '/upload', '/upload/', '/uploads/abc/f', '/abc/f', '/UPLOAD/abc/f', '/upload/.prosody-filer/x'];
  for (const path of outside) {
    it(`finds no upload at ${path}`, () => assert.throws(() => parseUploadKey(path, base), { code: 'NOT_FOUND' }));
  }

  it('accepts bases of any depth, and the root', () => {
    assert.equal(parseUploadKey('/a/%c3%bc/abc/f', ['a', 'ü']), 'abc/f');
    assert.equal(parseUploadKey('/abc/f', []), 'abc/f');
  });

  it('refuses the reserved folder in any letter case and encoding', () => {
    for (const name of ['.prosody-filer', '.Prosody-Filer', '%2eprosody%2dfiler']) {
      assert.throws(() => parseUploadKey(`/${name}/temporary`, []), { code: 'NOT_FOUND' });
    }
  });

  it('names a slash too many in a base URL', () => {
    for (const [path, segments] of [
      ['/upload//57bb1d75/f.jpg', base],
      ['//upload/57bb1d75/f.jpg', base],
      ['//57bb1d75/f.jpg', []],
      ['/a//b/57bb1d75/f.jpg', ['a', 'b']],
    ] as const) {
      assert.throws(() => parseUploadKey(path, segments), { message: /"\/\/".* a slash too many\?/ });
    }
    assert.throws(
      () => parseUploadKey('/other/', base),
      (error: Error) => !error.message.includes('slash too many'),
    );
  });

  it('names the missing trailing slash of a base URL', () => {
    assert.throws(() => parseUploadKey('/upload57bb1d75/f.jpg', base), { message: /trailing slash/ });
    assert.throws(
      () => parseUploadKey('/other/f.jpg', base),
      (error: Error) => !error.message.includes('trailing slash'),
    );
  });
});

describe('uploaderOfKey', () => {
  const uploaderOf = (key: string, domain?: string) => uploaderOfKey(key as UploadKey, domain);
  for (const id of Object.values(ids)) {
    it(`is the first of three segments: ${id}`, () => {
      assert.equal(uploaderOf(`${id}/wqrMMc7txe2Ptcv1/f.jpg`), id);
    });

    for (const key of [`${id}/f.jpg`, `${id}/a/b/f.jpg`, `${id.toUpperCase()}/a/f`, `${id}0/a/f`, 'a/b/c']) {
      it(`is unknown for ${key}`, () => assert.equal(uploaderOf(key), undefined));
    }
  }

  it('is the user of a domain whose name is the first of three segments', () => {
    assert.equal(uploaderOf('Romeo/wqrMMc7txe2Ptcv1/f.jpg', 'example.org'), 'romeo@example.org');
    assert.equal(uploaderOf('élodie_1.x-y/a/日本.jpg', 'example.org'), 'élodie_1.x-y@example.org');
    assert.equal(uploaderOf(`${ids.ofMysecret}/${'-'.repeat(40)}/f`, 'example.org'), ids.ofMysecret);
    for (const key of ['romeo/f.jpg', 'romeo/a/b/f.jpg', 'romeo/a-b/f.jpg', 'f']) {
      assert.equal(uploaderOf(key, 'example.org'), undefined, key);
    }
  });
});
