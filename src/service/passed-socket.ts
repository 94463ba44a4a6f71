import { once } from 'node:events';
import type { ListenAddress } from '../config/listen-address.js';
import { messageOf } from '../errors.js';
import type { App } from '../http/app.js';
import { describeAddress, ListenError } from './listen.js';

/** The first file descriptor that a service manager passes (SD_LISTEN_FDS_START of sd_listen_fds(3)). */
const passedFd = 3;

/**
 * Listens on the socket that the service manager passed, and resolves to its address. The socket stays open when this
 * process ends. Throws a ListenError if there are several sockets, or if the configuration names the other kind (TCP or
 * Unix): trustProxy was checked for that kind.
 */
export async function listenOnPassedSocket(app: App, count: number, address: ListenAddress): Promise<string> {
  if (count !== 1) throw new ListenError(`LISTEN_FDS: expected one socket (one ListenStream=), got ${count}`);
  try {
    // Fastify's own listen() fails on a Unix socket if it does not know its path.
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
  const kind = isUnix ? 'Unix' : 'TCP';
  throw new ListenError(
    `unixSocket: expected ${isUnix}, because ListenStream= passes a ${kind} socket, got ${!isUnix}`,
  );
}
