import path from 'node:path';
import { SettingProblem } from './config-error.js';
import type { SettingsOf } from './settings.js';
import { isSameAddress, parseTcpAddress, type TcpAddress } from './tcp-address.js';

/** Where the server listens: on a TCP address, or on a Unix socket with its mode. */
export type ListenAddress = TcpAddress | { readonly path: string; readonly mode: number };

/** The size of sockaddr_un's path on Linux, without the NUL at its end. */
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
export function listenAddress({
  listenPort,
  unixSocket,
  unixSocketMode,
}: SettingsOf<'listenPort' | 'unixSocket' | 'unixSocketMode'>): ListenAddress {
  if (unixSocket) return { path: socketPath(listenPort), mode: unixSocketMode };
  const address = parseTcpAddress(listenPort);
  if (address !== undefined) return address;
  const hint = listenPort.includes('/') ? '. For the path of a socket, set unixSocket = true' : '';
  throw new SettingProblem(`listenPort: expected an address such as "127.0.0.1:5050", got '${listenPort}'${hint}`);
}

/** Where the settings say to expose metrics; `undefined`: nowhere. Throws a SettingProblem. */
export function metricsAddress({
  metricsListen,
  listenPort,
  unixSocket,
}: SettingsOf<'metricsListen' | 'listenPort' | 'unixSocket'>): TcpAddress | undefined {
  const address = metricsListen === undefined ? undefined : parseTcpAddress(metricsListen);
  const uploads = unixSocket ? undefined : parseTcpAddress(listenPort);
  if (address === undefined || uploads === undefined || !isSameAddress(address, uploads)) return address;
  throw new SettingProblem(`metricsListen: expected another address than that of listenPort, got '${metricsListen}'`);
}
