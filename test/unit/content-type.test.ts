import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { mayShowInline, servableType, servedType, typeOfName } from '../../src/upload/content-type.js';
import { typeByContent } from '../../src/upload/text-charset.js';

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

  it('decides within milliseconds on 16 KiB of near misses', () => {
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
  it('follows the extension; unknown extensions are application/octet-stream', () => {
    assert.equal(typeOfName('a/b.JPG'), 'image/jpeg');
    assert.equal(typeOfName('a/b.txt'), 'text/plain');
    assert.equal(typeOfName('a/b'), 'application/octet-stream');
    assert.equal(typeOfName('a/b.unheardof'), 'application/octet-stream');
  });
});

describe('servedType', () => {
  // https://mimesniff.spec.whatwg.org/#javascript-mime-type
  const javascript = [
    ...['application/ecmascript', 'application/javascript', 'application/x-ecmascript', 'application/x-javascript'],
    ...['text/ecmascript', 'text/javascript', 'text/javascript1.0', 'text/javascript1.1', 'text/javascript1.2'],
    ...['text/javascript1.3', 'text/javascript1.4', 'text/javascript1.5', 'text/jscript', 'text/livescript'],
    ...['text/x-ecmascript', 'text/x-javascript'],
  ];
  const others = [
    ...[
      'text/css',
      'application/wasm',
      'application/json',
      'text/json',
      'application/manifest+json',
      'application/ld+json',
    ],
    ...[
      'text/xsl',
      'text/xml',
      'application/xml',
      'application/xslt+xml',
      'application/vnd.x+xml',
      'application/vnd.x+json',
    ],
    ...['text/vtt', 'text/event-stream', 'text/cache-manifest', 'multipart/x-mixed-replace', 'message/rfc822', 'x/y'],
    ...['importmap/x', 'application/java-archive', 'application/x-shockwave-flash', 'video/x+xml', 'omemo', ''],
  ];
  for (const type of [...javascript, ...others]) {
    it(`is application/octet-stream for '${type}', in any letter case and with parameters`, () => {
      for (const value of [type, type.toUpperCase(), `${type};charset=utf-8`, `${type} ; a="b"`]) {
        assert.equal(servedType(value), 'application/octet-stream');
      }
    });
  }

  const inert = [
    ...[
      'image/png',
      'image/svg+xml',
      'Video/MP4; codecs="avc1"',
      'audio/ogg',
      'text/plain; charset=utf-8',
      'text/html',
    ],
    ...['application/pdf', 'application/zip', 'application/octet-stream', 'application/vnd.ms-excel'],
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  ];
  for (const type of inert) {
    it(`is ${type} unchanged`, () => assert.equal(servedType(type), type));
  }

  it('is UTF-8 for plain text that names no charset', () => {
    for (const [type, served] of [
      ['text/plain', 'text/plain; charset=utf-8'],
      ['Text/Plain ;', 'Text/Plain; charset=utf-8'],
      ['text/plain; format=flowed', 'text/plain; format=flowed; charset=utf-8'],
      ['text/plain;Charset=koi8-r', 'text/plain;Charset=koi8-r'],
      ['text/plain; charset="iso-8859-1"', 'text/plain; charset="iso-8859-1"'],
    ] as const) {
      assert.equal(servedType(type), served);
    }
  });

  it('is of an unknown charset for plain text that names none and is not UTF-8', () => {
    const latin1 = Buffer.from('Grüße', 'latin1');
    assert.equal(typeByContent('text/plain', latin1), 'text/plain; charset=unknown-8bit');
    assert.equal(typeByContent('text/plain; charset=utf-8', latin1), 'text/plain; charset=utf-8');
    assert.equal(typeByContent('image/png', latin1), 'image/png');
    const text = Buffer.from('Grüße 日本 👋');
    for (let length = 0; length <= text.length; length += 1)
      assert.equal(typeByContent('text/plain', text.subarray(0, length)), 'text/plain');
  });
});

describe('the types of layout (c) in nginx.example.conf', () => {
  const example = readFileSync(new URL('../../nginx.example.conf', import.meta.url), 'utf8');
  const [, block = ''] = /^ *# *types \{\n(.*?)^ *# *\}$/ms.exec(example) ?? [];
  const types = [...block.matchAll(/^ *# *"?([a-z][^"]*?)"? ([\w ]+);$/gm)];
  it('are those that prosody-filer sends for the same extensions', () => {
    assert.ok(types.length > 20);
    for (const [, type, extensions = ''] of types) {
      for (const extension of extensions.split(' ')) assert.equal(servedType(typeOfName(`f.${extension}`)), type);
    }
  });
});
