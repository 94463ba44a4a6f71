import { isIP } from 'node:net';
import { compile } from '@fastify/proxy-addr';
import { dayMs, parseDuration, parseSize } from '../units.js';
import { baseSegments, withSlash } from './base-url.js';
import { entriesOf } from './schema.js';
import { isHost, parseTcpAddress } from './tcp-address.js';

/** Less than the longest wait of Node's timers (2^31 − 1 ms), since a few seconds are added to some limits. */
const maxTimerMs = 24 * dayMs;

/** 1 EiB: JavaScript still writes it with all of its digits. */
const maxSize = 2 ** 60;

/** A hundred years, so that now and a duration still add up to a date. */
const maxDurationMs = 36_525 * dayMs;

/** Fastify hands the list to the same library. It also takes words such as `loopback` and netmasks, which are refused here. */
function isProxy(text: string): boolean {
  if (text === 'unix') return true;
  if (isIP(text.replace(/\/\d{1,3}$/, '')) === 0) return false;
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}

/** The bits of a mode such as `0640`; NaN for any other text. */
export function parseMode(text: string): number {
  return /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** What a text must be, if a pattern cannot say it: whether it is such a value. */
export const formats = {
  notEmpty: (text: string) => text !== '',
  timeout: (text: string) => parseDuration(text) > 0 && parseDuration(text) <= maxTimerMs,
  window: (text: string) => parseDuration(text) >= 0 && parseDuration(text) <= maxDurationMs,
  duration: (text: string) => parseDuration(text) > 0 && parseDuration(text) <= maxDurationMs,
  durationOrNever: (text: string): boolean => text === 'never' || formats.duration(text),
  size: (text: string) => parseSize(text) > 0 && parseSize(text) <= maxSize,
  sizeOrNone: (text: string): boolean => text === 'none' || formats.size(text),
  mode: (text: string) => parseMode(text) >= 0,
  // prosody-filer reads uploads, and makes and finds them in their folders, as their owner.
  fileMode: (text: string) => (parseMode(text) & 0o400) !== 0,
  dirMode: (text: string) => (parseMode(text) & 0o700) === 0o700,
  proxy: isProxy,
  host: isHost,
  address: (text: string) => parseTcpAddress(text) !== undefined,
  url: (text: string) => URL.canParse(text),
  domainOrUrl: (text: string) => URL.canParse(text.replace(/^(?!https?:)/, 'https://')),
  baseUrl: (text: string) => withSlash(text) !== undefined,
  basePath: (text: string) => baseSegments(text) !== undefined,
};

/** Excludes control characters, which no path, header or stanza can hold, and U+FFFE and U+FFFF, which XML cannot hold. */
export const printable = '^[^\\p{Cc}\\uFFFE\\uFFFF]+$';

/** Any text; the entry's own pattern or format says more. */
export const string = entriesOf({ type: 'string' });
/** A text that is not empty and has no control character. */
export const text = entriesOf({ type: 'string' }, { pattern: printable });
/** A whole number in the range that the entry names. */
export const integer = entriesOf({ type: 'integer' });
/** True or false. */
export const flag = entriesOf({ type: 'boolean' }, { expected: 'true or false' });
/** A size, which becomes bytes. */
export const size = entriesOf(
  { type: 'string', unit: 'bytes' },
  { format: formats.size, expected: 'a size such as "50MB" or "2GiB"' },
);
/** A duration, which becomes milliseconds. */
export const duration = entriesOf(
  { type: 'string', unit: 'ms' },
  { format: formats.duration, expected: 'a time such as "24h" or "28d"' },
);
/** A duration for which a timer can wait. */
export const timeout = entriesOf(
  { type: 'string', unit: 'ms' },
  { format: formats.timeout, expected: 'a time such as "60s", at most "24d"' },
);
/** The octal mode of a file, a folder or a socket. */
export const mode = entriesOf(
  { type: 'string', unit: 'mode' },
  { format: formats.mode, expected: 'an octal mode as text, such as "0640"' },
);
/** A secret as text. */
export const secret = entriesOf({ type: 'string', format: formats.notEmpty }, { isSecret: true });
/** The name of a file that holds a secret. */
export const secretFile = entriesOf(
  { type: 'string' },
  { pattern: printable, expected: 'the path of a file that holds the secret' },
);
