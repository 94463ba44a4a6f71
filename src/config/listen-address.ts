import type { ListenAddress } from './config.js';

const hostAndPort = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]*)):(\d{1,5})$/;

/**
 * The TCP address in `host:port`, `[ipv6]:port` or `:port` (all addresses), as Go's net.Listen takes it;
 * `undefined` for anything else. `localhost` is 127.0.0.1.
 */
export function parseTcpAddress(text: string): ListenAddress | undefined {
  const [, ipv6, name = '', digits] = hostAndPort.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (ipv6 !== undefined) return { host: ipv6, port };
  if (name === '') return { host: '::', port };
  return { host: name === 'localhost' ? '127.0.0.1' : name, port };
}
