import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, isIPv6 } from 'node:net';
import type { ListenAddress } from '../config/config.js';
import { messageOf, systemErrorCode } from '../errors.js';
import type { App } from '../http/app.js';

/** A server cannot listen where the configuration says; the message says why and what to do. */
export class ListenError extends Error {}

const causes: Readonly<Record<string, string>> = {
  EACCES: 'this user may not listen there (ports below 1024 need a privilege)',
  EADDRINUSE: 'another program listens there already',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOENT: 'its folder does not exist',
  ENOTFOUND: 'this host name is unknown',
};

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

/**
 * Removes the socket that a killed server left behind; never one that is in use, nor anything that is no socket.
 * Throws a ListenError.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket())
    throw new ListenError(`listenPort: ${path} exists and is no socket: remove it or name another path`);
  const refusal = await tryToConnect(path);
  if (refusal === undefined) throw new ListenError(`listenPort: ${path}: ${causes['EADDRINUSE']}`);
  if (refusal !== 'ECONNREFUSED') {
    throw new ListenError(`listenPort: ${path}: connecting to it fails with ${refusal}, so it may be in use`);
  }
  await unlink(path);
}

async function listenOnTcp(app: App, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    if (host !== '::' || systemErrorCode(error) !== 'EAFNOSUPPORT') throw error;
    await app.listen({ host: '0.0.0.0', port });
  }
}

/** The origin of an IP address and port, such as `http://[::1]:5050`. */
export function describeTcpAddress(address: string, port: number): string {
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function describeAddress(app: App): string {
  const address = app.server.address();
  if (address === null || typeof address === 'string') return `unix:${address}`;
  return describeTcpAddress(address.address, address.port);
}

/**
 * Listens where the setting of this key says, and resolves to the address that was really taken, such as
 * `http://127.0.0.1:5050`. Throws a ListenError.
 */
export async function listen(
  app: App,
  address: ListenAddress,
  key: 'listenPort' | 'metricsListen' = 'listenPort',
): Promise<string> {
  try {
    if ('path' in address) {
      await app.listen({ path: address.path });
      await chmod(address.path, address.mode);
    } else {
      await listenOnTcp(app, address.host, address.port);
    }
  } catch (error) {
    const place = 'path' in address ? address.path : `${address.host} port ${address.port}`;
    const cause = causes[systemErrorCode(error) ?? ''] ?? messageOf(error);
    throw new ListenError(`${key}: cannot listen on ${place}: ${cause}`, { cause: error });
  }
  return describeAddress(app);
}
