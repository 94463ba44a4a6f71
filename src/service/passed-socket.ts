import { once } from 'node:events';
import type { ListenAddress } from '../config/listen-address.js';
import { messageOf } from '../errors.js';
import type { App } from '../http/app.js';
import { describeAddress, ListenError } from './listen.js';

/** The first descriptor that a service manager passes: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const passedFd = 3;

/**
 * Listens on the one socket that a service manager passed, which stays open when this process ends; resolves to its
 * address. Throws a ListenError, also where it is not of the kind of `address`, by which trustProxy was checked.
 */
export async function listenOnPassedSocket(app: App, count: number, address: ListenAddress): Promise<string> {
  if (count !== 1) throw new ListenError(`LISTEN_FDS: expected one socket (one ListenStream=), got ${count}`);
  try {
    // Fastify's own listen() fails on a Unix socket that it was not given the path of.
    await app.ready();
    const listening = once(app.server, 'listening');
    app.server.listen({ fd: passedFd });
    await listening;
  } catch (error) {
    throw new ListenError(`LISTEN_FDS: cannot listen on the passed socket: ${messageOf(error)}`, { cause: error });
  }
  const isUnix = app.server.address() === null;
  if (isUnix === 'path' in address) return describeAddress(app);
  await app.close();
  throw new ListenError(`unixSocket: expected ${isUnix}, since ListenStream= is such a socket, got ${!isUnix}`);
}
