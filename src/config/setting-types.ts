import { isIP } from 'node:net';
import { compile } from '@fastify/proxy-addr';
import { parseDuration, parseSize } from '../units.js';

const dayMs = 24 * 60 * 60 * 1000;

/** Less than the longest wait of Node's timers (2^31 − 1 ms), since a few seconds are added to some limits. */
const maxTimerMs = 24 * dayMs;

/** 1 EiB, which is still written with all of its digits. */
const maxSize = 2 ** 60;

/** A hundred years, so that now and a duration still add up to a date. */
const maxDurationMs = 36_525 * dayMs;

const hostName = /^[\p{L}\p{M}\p{N}_-]+(\.[\p{L}\p{M}\p{N}_-]+)*\.?$/u;
const maxHostLength = 253;

/** Whether it is an IP address or can be the name of a host. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (text.length <= maxHostLength && hostName.test(text));
}

/** The HTTP side hands it to the same library, which also takes words such as `loopback` and netmasks: these are refused. */
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

/** What a string in the file must be, by the name under which the schema asks for it. */
export const formats = {
  timeout: (text: string) => parseDuration(text) > 0 && parseDuration(text) <= maxTimerMs,
  time: (text: string) => parseDuration(text) >= 0 && parseDuration(text) <= maxDurationMs,
  duration: (text: string) => parseDuration(text) > 0 && parseDuration(text) <= maxDurationMs,
  proxy: isProxy,
  mode: (text: string) => /^0?[0-7]{3}$/.test(text),
  size: (text: string) => parseSize(text) > 0 && parseSize(text) <= maxSize,
  host: isHost,
  url: (text: string) => URL.canParse(text),
};

/** No control character, which no path, header or stanza can hold, nor what XML cannot. */
const text = { type: 'string', pattern: '^[^\\p{Cc}\\uFFFE\\uFFFF]+$' } as const;
const secret = { type: 'string', minLength: 1 } as const;

/** What several settings are, as parts of a JSON Schema; each description is what a wrong value is told to be. */
export const settingTypes = {
  text,
  flag: { type: 'boolean', description: 'true or false' },
  size: { type: 'string', format: 'size', description: 'a size such as "50MB" or "2GiB"' },
  duration: { type: 'string', format: 'duration', description: 'a time such as "24h" or "28d"' },
  timeout: { type: 'string', format: 'timeout', description: 'a time such as "60s", at most "24d"' },
  mode: { type: 'string', format: 'mode', description: 'an octal mode as text, such as "0640"' },
  proxy: { type: 'string', format: 'proxy', description: 'an address, a network such as "10.0.0.0/8", or "unix"' },
  secret: { ...secret, description: 'the secret that the XMPP server signs with, not empty' },
  secretFile: { ...text, description: 'the path of a file that holds the secret' },
} as const;
