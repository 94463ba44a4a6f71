import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mayShowInline, servableType, typeOfName } from '../../src/upload/content-type.js';

describe('servableType', () => {
  const valid = [
    'image/jpeg',
    'text/plain; charset=utf-8',
    'Text/Plain;charset="a;b, c"',
    'application/vnd.a+b',
    'a/b;',
    'a/b; ;c=d',
  ];
  for (const type of valid) {
    it(`keeps ${type}`, () => assert.equal(servableType(type), type));
  }

  const invalid = [
    '',
    'omemo',
    'image/png, text/html',
    'text/plain; a=b, image/svg+xml',
    'image/png\r\nX: y',
    'a/b; c',
    'image/ png',
    'a/b; c="d',
    'ü/x',
  ];
  for (const type of invalid) {
    it(`makes application/octet-stream of ${JSON.stringify(type)}`, () => {
      assert.equal(servableType(type), 'application/octet-stream');
    });
  }

  it('decides on 16 KiB of near misses at once', () => {
    const startedAt = performance.now();
    for (const filler of [';', '; ', ' ;', ' ', '; a=b', '\\"']) {
      servableType(`a/b${filler.repeat(16_384 / filler.length)}!`);
      servableType(`a/b; c="${filler.repeat(16_384 / filler.length)}`);
    }
    assert.ok(performance.now() - startedAt < 500);
  });
});

describe('mayShowInline', () => {
  for (const type of ['image/png', 'IMAGE/PNG', 'video/mp4', 'audio/ogg; codecs=opus', 'text/plain;charset=utf-8']) {
    it(`lets a browser show ${type}`, () => assert.equal(mayShowInline(type), true));
  }

  const downloads = [
    'image/svg+xml',
    'Image/SVG+XML;x=y',
    'video/x+xml',
    'text/html',
    'text/xml',
    'text/plainx',
    'application/pdf',
    'image/png, text/html',
    'application/octet-stream',
    'imagex/png',
  ];
  for (const type of downloads) {
    it(`makes ${type} a download`, () => assert.equal(mayShowInline(type), false));
  }
});

describe('typeOfName', () => {
  it('goes by the extension, and is application/octet-stream without a known one', () => {
    assert.equal(typeOfName('a/b.JPG'), 'image/jpeg');
    assert.equal(typeOfName('a/b.txt'), 'text/plain');
    assert.equal(typeOfName('a/b'), 'application/octet-stream');
    assert.equal(typeOfName('a/b.unheardof'), 'application/octet-stream');
  });
});
