import type { FastifyReply, FastifyRequest } from 'fastify';
import { FilerError, type HttpErrorCode, messageOf } from '../errors.js';
import { refusalSentence, unclearRequest } from '../refusal-sentence.js';
import { explainEncodedQuery } from '../token/explain-encoded-query.js';
import { closeAfterAnswer } from './gentle-close.js';
import type { FilerLogger } from './settings.js';
import { isHttpCode, statusOf } from './statuses.js';

const statusHeaders: Readonly<Record<number, Record<string, string>>> = {
  401: { 'www-authenticate': 'Bearer' },
  503: { 'retry-after': '5' },
};

/** The status of an error that is not a refusal: Fastify's own for a request that it rejects, else 500. */
function unexpectedStatus(error: unknown): number {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? status : 500;
}

/** What the client is told. */
function sentenceFor(error: unknown, code: HttpErrorCode | undefined, status: number): string {
  if (error instanceof FilerError && error.told !== undefined) return error.told;
  if (code !== undefined) return refusalSentence(code);
  return status === 500 ? 'The server failed to answer this request.' : unclearRequest;
}

/** Answers a refusal or failure: the client gets a sentence that anybody may read, the log line the reason in full. */
export function handleError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: FilerLogger,
): FastifyReply {
  const { exchange, id, raw } = request;
  const code = error instanceof FilerError && isHttpCode(error.code) ? error.code : undefined;
  const status = code === undefined ? unexpectedStatus(error) : statusOf[code];
  const cause = explainEncodedQuery(exchange.path);
  // If the server aborted the transfer, that reason is there already and says more than "incomplete".
  exchange.reason ??= cause === undefined ? messageOf(error) : `${messageOf(error)}; ${cause}`;
  exchange.refusal = code;
  if (code === undefined && status === 500) {
    exchange.refusal = 'UNEXPECTED';
    logger.error({ reqId: id, path: exchange.path, err: error }, 'unexpected error');
  }
  // The addresses are those of this connection and, from trusted proxies only, of X-Forwarded-For.
  closeAfterAnswer(raw, reply, { isTooSlow: status === 408, isProxied: (request.ips?.length ?? 0) > 1 });
  if (error instanceof FilerError && error.retryAt !== undefined) {
    reply.header('retry-after', Math.max(1, Math.ceil((error.retryAt - Date.now()) / 1000)));
  }
  return reply
    .code(status)
    .headers(statusHeaders[status] ?? {})
    .type('text/plain; charset=utf-8')
    .send(`${sentenceFor(error, code, status)}\n`);
}
