import { isIPv6 } from 'node:net';
import path from 'node:path';
import type { ListenAddress, TcpAddress } from './config.js';
import { SettingProblem } from './setting-problem.js';
import { isHost } from './setting-types.js';
import type { Settings } from './settings.js';

const allHosts = new Set(['::', '0.0.0.0']);
const hostAndPort = /^(?:\[([^[\]]+)\]|([^:[\]]*)):(\d{1,5})$/;

/**
 * The TCP address in `host:port`, `[ipv6]:port` or `:port` (all addresses), as Go's net.Listen takes it;
 * `undefined` for anything else. `localhost` is 127.0.0.1.
 */
function parseTcpAddress(text: string): TcpAddress | undefined {
  const [, ipv6, name = '', digits] = hostAndPort.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { host: ipv6, port } : undefined;
  if (name === '') return { host: '::', port };
  if (!isHost(name)) return undefined;
  return { host: name === 'localhost' ? '127.0.0.1' : name, port };
}

/** Whether two servers cannot listen on both; port 0 is another free one each time. */
function isSameAddress(one: TcpAddress, other: TcpAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  return one.host === other.host || allHosts.has(one.host) || allHosts.has(other.host);
}

/** What sockaddr_un of Linux holds, less its NUL. */
const maxSocketPathBytes = 107;

function socketPath(listenPort: string): string {
  const absolute = path.resolve(listenPort);
  const bytes = Buffer.byteLength(absolute);
  if (bytes <= maxSocketPathBytes) return absolute;
  throw new SettingProblem(
    `listenPort: expected the path of a socket, at most ${maxSocketPathBytes} bytes long, got '${absolute}', which has ${bytes}`,
  );
}

/** Where the settings say to listen for uploads. Throws a SettingProblem. */
export function listenAddress({ listenPort, unixSocket, unixSocketMode }: Settings): ListenAddress {
  if (unixSocket) return { path: socketPath(listenPort), mode: Number.parseInt(unixSocketMode, 8) };
  const address = parseTcpAddress(listenPort);
  if (address !== undefined) return address;
  const hint = listenPort.includes('/') ? ' (a socket path needs unixSocket = true)' : '';
  throw new SettingProblem(`listenPort: expected an address such as "127.0.0.1:5050", got '${listenPort}'${hint}`);
}

/** Where the settings say to expose metrics, if they do. Throws a SettingProblem. */
export function metricsAddress({ metricsListen }: Settings, listen: ListenAddress | undefined): TcpAddress | undefined {
  if (metricsListen === undefined) return undefined;
  const address = parseTcpAddress(metricsListen);
  if (address === undefined) {
    throw new SettingProblem(`metricsListen: expected an address such as "127.0.0.1:9550", got '${metricsListen}'`);
  }
  if (listen === undefined || 'path' in listen || !isSameAddress(address, listen)) return address;
  throw new SettingProblem(`metricsListen: expected another address than that of listenPort, got '${metricsListen}'`);
}
