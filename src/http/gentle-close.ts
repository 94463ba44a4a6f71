/*
 * Closing a socket that has unread bytes resets the connection, and the client may lose the answer (RFC 9112 §9.6).
 * So if a request is refused before its body has arrived, only our side is closed at first. Up to 1 MiB of the body is
 * still read. The connection ends when the client closes its side, or after 2 s.
 *
 * Apache looks at the answer only once it has passed on the whole body. If it cannot pass it on, the client gets a 502, or
 * with HTTP/2 no status at all. So more of the body is read if it comes through a trusted proxy: up to 1 GiB within 10 min.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

const smallBytes = 64 * 1024;

/** How much of a refused body is still read, and for how long. */
interface Patience {
  readonly drainBytes: number;
  readonly lingerMs: number;
}

const withClient: Patience = { drainBytes: 1024 ** 2, lingerMs: 2000 };
const withProxy: Patience = { drainBytes: 1024 ** 3, lingerMs: 600_000 };

/** Closes our side once everything is written. Destroys the socket when the client closes its side too, or after `lingerMs`. */
export function closeGently(socket: Socket, { lingerMs }: Pick<Patience, 'lingerMs'> = withClient): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end();
}

function announcedBytes({ headers }: IncomingMessage): number {
  return 'transfer-encoding' in headers ? Number.POSITIVE_INFINITY : Number(headers['content-length'] ?? 0);
}

/**
 * Closes the connection of a refused request gently after the answer if some of its body has not arrived. Node reads the
 * rest of a small body and keeps the connection, unless the request was refused for being too slow.
 */
export function closeAfterAnswer(
  request: IncomingMessage,
  reply: FastifyReply,
  { isTooSlow, isProxied }: { readonly isTooSlow: boolean; readonly isProxied: boolean },
): void {
  const isSmall = announcedBytes(request) <= smallBytes && request.headers.expect === undefined;
  if (request.complete || (isSmall && !isTooSlow)) return;
  const { socket } = request;
  const patience = isProxied && !isTooSlow ? withProxy : withClient;
  reply.header('connection', 'close');
  let drained = 0;
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > patience.drainBytes) request.pause();
  });
  // node:http calls this once the answer is written.
  socket.destroySoon = () => closeGently(socket, patience);
}
