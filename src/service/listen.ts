import { accessSync, constants } from 'node:fs';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, isIPv6 } from 'node:net';
import { dirname } from 'node:path';
import type { ListenAddress } from '../config/listen-address.js';
import { messageOf, systemErrorCode } from '../errors.js';
import type { App } from '../http/app.js';

/** A server cannot listen where the configuration says; the message says why and what to do. */
export class ListenError extends Error {}

const causes: Readonly<Record<string, string>> = {
  EACCES: 'this user may not listen there (ports below 1024 need a privilege)',
  EADDRINUSE: 'another program listens there already',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOTFOUND: 'this host name is unknown',
};

/** Why a socket cannot be made at a path, found out by its folder: for a missing one libuv says EACCES too. */
function explainPath(socketPath: string, code: string | undefined): string | undefined {
  if (code === 'EADDRINUSE') return causes[code];
  const folder = dirname(socketPath);
  try {
    accessSync(`${folder}/.`, constants.W_OK | constants.X_OK);
    return code === 'EACCES' ? `no socket can be made in ${folder}` : undefined;
  } catch (error) {
    const found = systemErrorCode(error);
    if (found === 'ENOENT') return `its folder does not exist: make ${folder}`;
    return found === 'ENOTDIR' ? `${folder} is not a folder` : `this user may not make files in ${folder} (${found})`;
  }
}

/** The error code of connecting to a socket, `undefined` where somebody accepts. */
function tryToConnect(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path).on('error', (error) => resolve(systemErrorCode(error) ?? error.message));
    socket.on('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

/** What lies at a socket's path. Throws a ListenError for anything that is no socket, or may be in use. */
export async function probeSocket(path: string): Promise<'nothing' | 'stale' | 'in use'> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return 'nothing';
  if (!stats.isSocket())
    throw new ListenError(`listenPort: ${path} exists and is no socket: remove it or name another path`);
  const refusal = await tryToConnect(path);
  if (refusal === undefined) return 'in use';
  if (refusal === 'ECONNREFUSED') return 'stale';
  throw new ListenError(`listenPort: ${path}: connecting to it fails with ${refusal}, so it may be in use`);
}

/**
 * Removes the socket that a killed server left behind; never one that is in use, nor anything that is no socket.
 * Throws a ListenError.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await probeSocket(path);
  if (found === 'in use') throw new ListenError(`listenPort: ${path}: ${causes['EADDRINUSE']}`);
  if (found === 'stale') await unlink(path);
}

/** Listens; for all addresses of a host without IPv6 on those that it has. */
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

/** The settings that say where to listen. */
export type ListenKey = 'listenPort' | 'metricsListen';

/** Why listening there failed, in the operator's words. */
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

/** The origin of an IP address and port, such as `http://[::1]:5050`. */
export function describeTcpAddress(address: string, port: number): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

/** In place of an address that only the service manager knows. */
export const passedSocket = 'the passed socket';

/** Where an app listens, such as `http://127.0.0.1:5050`. */
export function describeAddress(app: App): string {
  const address = app.server.address();
  if (address === null) return passedSocket;
  if (typeof address === 'string') return `unix:${address}`;
  return describeTcpAddress(address.address, address.port);
}

/**
 * Listens where the setting of this key says, and resolves to the address that was really taken, such as
 * `http://127.0.0.1:5050`. Throws a ListenError.
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
