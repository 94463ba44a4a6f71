/* Every regular expression and parser that reads text from strangers, with more text than can arrive. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluateConditions, matchesIfRange } from '../../src/http/conditional.js';
import { parseRange } from '../../src/http/range.js';
import { withEncodedTarget } from '../../src/http/raw-targets.js';
import { trustedProxies } from '../../src/http/trusted-proxies.js';
import { printable } from '../../src/printable.js';
import { redact } from '../../src/redact.js';
import { planSlot } from '../../src/slots/slot-policy.js';
import { StanzaReader } from '../../src/slots/stanza-reader.js';
import { verifyBearer } from '../../src/token/bearer.js';
import { explainEncodedQuery } from '../../src/token/explain-encoded-query.js';
import { verifyToken } from '../../src/token/verify-token.js';
import { dispositionOf } from '../../src/upload/content-disposition.js';
import { essenceOf, mayShowInline, servableType, typeOfName } from '../../src/upload/content-type.js';
import { parseUploadKey, type UploadKey } from '../../src/upload/upload-key.js';
import { bareJid, UploaderIds } from '../../src/upload/uploader.js';

/** A header has at most 16 KiB, a stanza 64 KiB. If the time grew with the square of that, it would be seconds. */
const length = 65_536;
const maxMs = 300;
const fillers = [
  ...[
    ' ',
    ';',
    '; ',
    ' ;',
    ';a=',
    ';a=b',
    '"',
    '\\"',
    'a',
    'a/',
    'a/b;',
    ',',
    ', ',
    '"a",',
    'W/',
    'W/"',
    '*',
    '-',
    '1',
    '1-',
    '.',
  ],
  ...[
    'a.',
    'eyJ',
    'eyJ.',
    'eyJ-',
    '%',
    '%2',
    '%25',
    '%3F',
    '%3Fv=',
    '&v=',
    'v=',
    '=',
    '/',
    '//',
    '/..',
    '@',
    'a@',
    '@a',
    'é',
    '\u202e',
  ],
  ...[
    '\ud800',
    '\u0000',
    '\n',
    'Mon, ',
    '(',
    'GMT ',
    '0',
    ':',
    '::',
    '1.',
    'bytes=',
    'Bearer ',
    '<',
    '<a>',
    '&',
    '&amp;',
    'GET ',
    "a='",
    '\t',
  ],
];
const key = 's/f' as UploadKey;
const settings = { secrets: ['s'], strictContentType: false };
const validators = { etag: '"1-2"', modifiedAt: 0 };
const slots = { access: [], maxFileSize: 1, allowedTypes: ['image/*'], purposes: [] };
const isTrusted = trustedProxies(['127.0.0.0/8']);

const ignore = () => undefined;

/** Reads a stanza in pieces, as it arrives. */
function readStanza(text: string): void {
  const reader = new StanzaReader({ onOpen: ignore, onStanza: ignore, onSkipped: ignore, onClose: ignore });
  reader.write('<stream><iq>');
  for (let at = 0; at < text.length; at += 1000) reader.write(text.slice(at, at + 1000));
}

const readers: Record<string, (text: string) => unknown> = {
  'a content type': (text) => [
    servableType(text),
    servableType(`a/b${text}`),
    servableType(`a/b; c="${text}`),
    essenceOf(text),
  ],
  'whether a type may be shown': mayShowInline,
  'the type of a name': typeOfName,
  'the name of a download': (text) => dispositionOf(`s/${text.slice(0, 255)}` as UploadKey, 'a/b'),
  conditions: (text) =>
    ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'].map((name) =>
      evaluateConditions({ [name]: text }, validators),
    ),
  'If-Range': (text) => matchesIfRange(text, validators),
  'a range': (text) => [parseRange(text, 10), parseRange(`bytes=${text}`, 10), parseRange(`bytes=1-${text}`, 10)],
  'an address of X-Forwarded-For': (text) => isTrusted !== false && isTrusted(text),
  'a path': (text) => parseUploadKey(`/${text}`, []),
  'a percent-encoded query': explainEncodedQuery,
  'a Bearer header': (text) =>
    Promise.all(
      ['', 'Bearer ', 'Bearer a.', 'Bearer a.b.'].map((begin) =>
        verifyBearer(begin + text, { key, size: 1, contentType: '' }, settings, 0),
      ),
    ),
  'a query': (text) =>
    verifyToken(
      { query: new URLSearchParams(text), authorization: undefined },
      { key, size: 1, contentType: text },
      settings,
      [],
      0,
    ),
  'a token and a type': (text) =>
    verifyToken(
      { query: new URLSearchParams(`v2=${text}`), authorization: undefined },
      { key, size: 1, contentType: text },
      settings,
      [],
      0,
    ),
  'a JID': (text) => [bareJid(text), new UploaderIds(['s']).idsOf(text)],
  'bytes before a raw target': (text) => {
    const rawPacket = Buffer.from(`GET ${text}GET ${text}\xff`, 'latin1');
    const error = Object.assign(new Error(), { code: 'HPE_INVALID_URL', rawPacket });
    return [
      withEncodedTarget({ ...error, bytesParsed: rawPacket.length - 1 }),
      withEncodedTarget({ ...error, bytesParsed: rawPacket.indexOf(0xff) }),
    ];
  },
  'a slot request': (text) => [
    planSlot({ uploader: 'a' }, { filename: text, size: '1', contentType: undefined, expireBefore: undefined }, slots),
    planSlot({ uploader: text }, { filename: 'f', size: '1', contentType: text, expireBefore: undefined }, slots),
    planSlot({ uploader: 'a@b' }, { filename: 'f', size: '1', contentType: undefined, expireBefore: text }, slots),
  ],
  'a stanza': (text) => readStanza(text),
  'a log line': (text) => redact(printable(text)),
};

describe('the time for text from a stranger grows in step with its length:', () => {
  for (const [name, read] of Object.entries(readers)) {
    it(name, async () => {
      for (const filler of fillers) {
        const text = filler.repeat(Math.ceil(length / filler.length));
        for (const hostile of [text, `${text}!`, `a${text}`]) {
          const before = process.cpuUsage();
          try {
            await read(hostile);
          } catch {
            // A refusal must be quick as well.
          }
          // Processor time, since other tests run at the same time.
          const { user, system } = process.cpuUsage(before);
          const ms = (user + system) / 1000;
          assert.ok(ms < maxMs, `${JSON.stringify(filler)}: ${Math.round(ms)} ms`);
        }
      }
    });
  }
});
