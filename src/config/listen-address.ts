import type { TcpAddress } from './config.js';

const allHosts = new Set(['::', '0.0.0.0']);
const hostAndPort = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]*)):(\d{1,5})$/;

/**
 * The TCP address in `host:port`, `[ipv6]:port` or `:port` (all addresses), as Go's net.Listen takes it;
 * `undefined` for anything else. `localhost` is 127.0.0.1.
 */
export function parseTcpAddress(text: string): TcpAddress | undefined {
  const [, ipv6, name = '', digits] = hostAndPort.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (ipv6 !== undefined) return { host: ipv6, port };
  if (name === '') return { host: '::', port };
  return { host: name === 'localhost' ? '127.0.0.1' : name, port };
}

/** Whether two servers cannot listen on both; port 0 is another free one each time. */
export function isSameAddress(one: TcpAddress, other: TcpAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || allHosts.has(one.host) || allHosts.has(other.host);
}
