/*
 * Closing a socket that has unread bytes resets the connection, and the client may lose the answer (RFC 9112 §9.6).
 * So if a request is refused before its body has arrived, only our side is closed at first. Up to 1 MiB of the body is
 * still read. The connection ends when the client closes its side, or after 2 s.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

const smallBytes = 64 * 1024;
const drainBytes = 1024 * 1024;
const lingerMs = 2000;

/** Closes our side once everything is written. Destroys the socket when the client closes its side too, or after 2 s. */
export function closeGently(socket: Socket): void {
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
export function closeAfterAnswer(request: IncomingMessage, reply: FastifyReply, { isTooSlow = false } = {}): void {
  const isSmall = announcedBytes(request) <= smallBytes && request.headers.expect === undefined;
  if (request.complete || (isSmall && !isTooSlow)) return;
  const { socket } = request;
  reply.header('connection', 'close');
  let drained = 0;
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length;
    if (drained > drainBytes) request.pause();
  });
  // node:http calls this once the answer is written.
  socket.destroySoon = () => closeGently(socket);
}
