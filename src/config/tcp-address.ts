import { isIP, isIPv6 } from 'node:net';

/** Where a TCP server listens. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

const hostName = /^[\p{L}\p{M}\p{N}_-]+(\.[\p{L}\p{M}\p{N}_-]+)*\.?$/u;
const maxHostLength = 253;
const hostAndPort = /^(?:\[([^[\]]+)\]|([^:[\]]*)):(\d{1,5})$/;
const allHosts = new Set(['::', '0.0.0.0']);

/** Whether the text is an IP address or can be the name of a host. */
export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (text.length <= maxHostLength && hostName.test(text));
}

/**
 * The TCP address in `host:port`, `[ipv6]:port` or `:port` (all addresses), as Go's net.Listen takes it;
 * `undefined` for any other text. `localhost` is 127.0.0.1.
 */
export function parseTcpAddress(text: string): TcpAddress | undefined {
  const [, ipv6, name = '', digits] = hostAndPort.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { host: ipv6, port } : undefined;
  if (name === '') return { host: '::', port };
  if (!isHost(name)) return undefined;
  return { host: name === 'localhost' ? '127.0.0.1' : name, port };
}

/** Whether two servers cannot listen on both. Port 0 is another free port each time. */
export function isSameAddress(one: TcpAddress, other: TcpAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || allHosts.has(one.host) || allHosts.has(other.host);
}
