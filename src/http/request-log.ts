import type { FastifyReply, FastifyRequest } from 'fastify';
import { afterExchange } from './exchange.js';
import type { FilerLogger } from './settings.js';

function levelOf(request: FastifyRequest, status: number): 'info' | 'warn' | 'error' {
  if (status >= 500) return 'error';
  return status >= 400 && request.method !== 'GET' && request.method !== 'HEAD' ? 'warn' : 'info';
}

function logLine(logger: FilerLogger, request: FastifyRequest, { raw }: FastifyReply): void {
  const level = levelOf(request, raw.statusCode);
  if (!logger.isLevelEnabled(level)) return;
  const { client, path, bytes, sentBy, startedAt, uploader } = request.exchange;
  const reason = request.exchange.reason ?? (raw.writableFinished ? undefined : 'the client disconnected or stalled');
  const line = {
    reqId: request.id,
    client,
    method: request.method,
    path,
    status: raw.headersSent ? raw.statusCode : undefined,
    bytes,
    sentBy,
    durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    uploader,
    reason,
    aborted: raw.writableFinished ? undefined : true,
  };
  logger[level](line, 'request');
}

/** Logs one line once the exchange is over, completed or aborted. Query and headers are left out: they hold tokens. */
export function logExchange(logger: FilerLogger, request: FastifyRequest, reply: FastifyReply): void {
  afterExchange(reply, () => logLine(logger, request, reply));
}
