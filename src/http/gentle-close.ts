/*
 * Closing a socket with bytes unread resets the connection, and the client may never see what was answered
 * (RFC 9112 §9.6). So after an answer without which the client would go on sending, our side is closed first, a bounded
 * amount is read on, and the rest of the connection goes when the client closes it or a little later.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

const smallBytes = 64 * 1024;
const drainBytes = 1024 * 1024;
const lingerMs = 2000;

/** Ends our side once what was written is out; destroys the socket when the other side has ended too, or after 2 s. */
export function closeGently(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end();
}

function announcedBytes({ headers }: IncomingMessage): number {
  return 'transfer-encoding' in headers ? Number.POSITIVE_INFINITY : Number(headers['content-length'] ?? 0);
}

/**
 * Has the connection of a refused request closed gently after its answer if a body is still to come. A small one is left
 * to Node, which reads it and keeps the connection, unless it is too slow; of a larger one no more than 1 MiB is read.
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
  // What node:http calls once the answer is written.
  socket.destroySoon = () => closeGently(socket);
}
