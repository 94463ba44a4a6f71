import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FilerLogger } from './settings.js';

function levelOf(request: FastifyRequest, status: number): 'info' | 'warn' | 'error' {
  if (status >= 500) return 'error';
  return status >= 400 && request.method !== 'GET' && request.method !== 'HEAD' ? 'warn' : 'info';
}

/** Logs one line when the exchange is over, however it ends: never the query nor a header, where tokens stand. */
export function logExchange(logger: FilerLogger, request: FastifyRequest, reply: FastifyReply): void {
  const { exchange } = request;
  reply.raw.once('close', () => {
    const { path, bytes, startedAt, uploader, reason } = exchange;
    const status = reply.raw.statusCode;
    const isAborted = !reply.raw.writableFinished;
    const line = {
      reqId: request.id,
      client: request.ip,
      method: request.method,
      path,
      ...(reply.raw.headersSent ? { status } : {}),
      bytes,
      durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
      ...(uploader === undefined ? {} : { uploader }),
      ...(reason === undefined ? {} : { reason }),
      ...(isAborted ? { aborted: true } : {}),
    };
    logger[levelOf(request, status)](line, 'request');
  });
}
