import { accessSync, constants } from 'node:fs';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { ListenAddress } from '../config/listen-address.js';
import { messageOf, systemErrorCode } from '../errors.js';
import type { App } from '../http/app.js';

/** The program cannot listen on the configured address. The message says why, and what to do. */
export class ListenError extends Error {}

const causes: Readonly<Record<string, string>> = {
  EACCES: 'this user may not listen there (ports below 1024 need root or CAP_NET_BIND_SERVICE)',
  EADDRINUSE: 'another program listens there already',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOTFOUND: 'this host name is unknown',
};

/** Why a socket cannot be created at a path. The error code alone does not tell: libuv says EACCES for a missing folder too. */
function explainPath(socketPath: string, code: string | undefined): string | undefined {
  if (code === 'EADDRINUSE') return causes[code];
  const folder = dirname(socketPath);
  try {
    accessSync(`${folder}/.`, constants.W_OK | constants.X_OK);
    return code === 'EACCES' ? `a socket cannot be created in ${folder}` : undefined;
  } catch (error) {
    const found = systemErrorCode(error);
    if (found === 'ENOENT') return `the folder ${folder} does not exist. Create it`;
    return found === 'ENOTDIR' ? `${folder} is not a folder` : `this user may not create files in ${folder} (${found})`;
  }
}

/** Connects to a Unix socket; resolves to the error code, or to `undefined` if a program accepts. */
function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path).on('error', (error) => resolve(systemErrorCode(error) ?? error.message));
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

/** What is at the path of a Unix socket. Throws a ListenError if it is not a socket, or cannot be tried. */
export async function probeSocket(path: string): Promise<'nothing' | 'stale' | 'in use'> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return 'nothing';
  if (!stats.isSocket())
    throw new ListenError(`listenPort: ${path} exists and is not a socket. Remove it, or set another path`);
  const refusal = await tryToConnect(path);
  if (refusal === undefined) return 'in use';
  if (refusal === 'ECONNREFUSED') return 'stale';
  throw new ListenError(
    `listenPort: ${path}: connecting to it fails with ${refusal}, so another program may be using it`,
  );
}

/** Removes the socket that a killed server left behind. Throws a ListenError if it may be in use, or is not a socket. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await probeSocket(path);
  if (found === 'in use') throw new ListenError(`listenPort: ${path}: ${causes['EADDRINUSE']}`);
  if (found === 'stale') await unlink(path);
}

/** Listens on a TCP address. `::` means all addresses, also on a host without IPv6. */
export async function listenOnTcp(
  listenOn: (options: { host: string; port: number }) => Promise<unknown>,
  host: string,
  port: number,
): Promise<void> {
  try {
    await listenOn({ host, port });
  } catch (error) {
    if (host !== '::' || systemErrorCode(error) !== 'EAFNOSUPPORT') throw error;
    await listenOn({ host: '0.0.0.0', port });
  }
}

/** The settings that hold an address to listen on. */
export type ListenKey = 'listenPort' | 'metricsListen';

/** Explains to the operator why listening on an address failed. */
export function toListenError(error: unknown, address: ListenAddress, key: ListenKey): ListenError {
  if (error instanceof ListenError) return error;
  const code = systemErrorCode(error);
  const [place, known] =
    'path' in address
      ? [address.path, explainPath(address.path, code)]
      : [`${address.host} port ${address.port}`, causes[code ?? '']];
  const cause = known ?? messageOf(error);
  return new ListenError(`${key}: cannot listen on ${place}: ${cause}`, { cause: error });
}

/** The URL of an IP address and port, such as `http://[::1]:5050`. */
export function describeTcpAddress(address: string, port: number): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

/** Logged in place of an address that only the service manager knows. */
export const passedSocket = 'the passed socket';

/** The address that an app listens on, such as `http://127.0.0.1:5050`. */
export function describeAddress(app: App): string {
  const address = app.server.address();
  if (address === null) return passedSocket;
  if (typeof address === 'string') return `unix:${address}`;
  return describeTcpAddress(address.address, address.port);
}

/**
 * Listens on the address of a setting. Resolves to the actual address, such as `http://127.0.0.1:5050`, also for port 0.
 * Throws a ListenError.
 */
export async function listen(app: App, address: ListenAddress, key: ListenKey = 'listenPort'): Promise<string> {
  try {
    if ('path' in address) {
      await app.listen({ path: address.path });
      await chmod(address.path, address.mode);
    } else {
      await listenOnTcp((options) => app.listen(options), address.host, address.port);
    }
  } catch (error) {
    throw toListenError(error, address, key);
  }
  return describeAddress(app);
}
