import { isIP } from 'node:net';
import { parseDuration, parseSize } from '../units.js';

/** What Node's timers can wait. */
const maxTimerMs = 2 ** 31 - 1;

function isProxy(text: string): boolean {
  if (text === 'unix') return true;
  const [address = '', bits, ...rest] = text.split('/');
  const maxBits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return (
    rest.length === 0 && maxBits > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits))
  );
}

/** What a string in the file must be, by the name under which the schema asks for it. */
export const formats = {
  timeout: (text: string) => parseDuration(text) > 0 && parseDuration(text) <= maxTimerMs,
  time: (text: string) => parseDuration(text) >= 0,
  duration: (text: string) => parseDuration(text) > 0,
  proxy: isProxy,
  mode: (text: string) => /^0?[0-7]{3}$/.test(text),
  size: (text: string) => parseSize(text) > 0,
};

const text = { type: 'string', minLength: 1 } as const;

/** What several settings are, as parts of a JSON Schema; each description is what a wrong value is told to be. */
export const settingTypes = {
  text,
  flag: { type: 'boolean', description: 'true or false' },
  size: { type: 'string', format: 'size', description: 'a size such as "50MB" or "2GiB"' },
  duration: { type: 'string', format: 'duration', description: 'a time such as "24h" or "28d"' },
  timeout: { type: 'string', format: 'timeout', description: 'a time such as "60s", at most "24d"' },
  mode: { type: 'string', format: 'mode', description: 'an octal mode as text, such as "0640"' },
  proxy: { type: 'string', format: 'proxy', description: 'an address, a network such as "10.0.0.0/8", or "unix"' },
  secret: { ...text, description: 'the secret that the XMPP server signs with, not empty' },
  secretFile: { ...text, description: 'the path of a file that holds the secret' },
} as const;
