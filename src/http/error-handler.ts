import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, FilerError, messageOf } from '../errors.js';
import { explainEncodedQuery } from '../token/explain-encoded-query.js';
import { closeAfterAnswer } from './gentle-close.js';
import type { FilerLogger } from './settings.js';

const statusOf: Readonly<Record<ErrorCode, number>> = {
  AUTHORIZATION_MALFORMED: 401,
  BODY_INCOMPLETE: 400,
  DOWNLOADS_LIMITED: 503,
  EXPECTATION_UNKNOWN: 417,
  HOST_MISSING: 400,
  KEY_INVALID: 400,
  KEY_TAKEN: 409,
  LENGTH_MISSING: 411,
  METHOD_UNKNOWN: 405,
  NOT_FOUND: 404,
  PRECONDITION_FAILED: 412,
  QUOTA_REACHED: 413,
  RANGE_UNSATISFIABLE: 416,
  REQUEST_INVALID: 400,
  SIZE_REFUSED: 413,
  SLOTS_LIMITED: 429,
  STORE_BUSY: 503,
  STORE_FAILED: 500,
  STORE_FULL: 507,
  STORE_REFUSED: 502,
  STORE_UNUSABLE: 500,
  TOKEN_MISSING: 403,
  TOKEN_REFUSED: 403,
  TYPE_REFUSED: 415,
  UPLOADER_REFUSED: 403,
  UPLOADS_LIMITED: 503,
  UPLOAD_EXPIRED: 410,
  UPLOAD_REPLACED: 503,
  UPLOAD_RUNNING: 409,
  UPLOAD_TOO_SLOW: 408,
};

const statusHeaders: Readonly<Record<number, Record<string, string>>> = {
  401: { 'www-authenticate': 'Bearer' },
  503: { 'retry-after': '5' },
};

function unexpectedStatus(error: unknown): number {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? status : 500;
}

/** Answers a refusal or failure: its status and name for the client, the reason for the log line. */
export function handleError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: FilerLogger,
): FastifyReply {
  const status = error instanceof FilerError ? statusOf[error.code] : unexpectedStatus(error);
  const cause = explainEncodedQuery(request.exchange.path);
  // Why the server broke off a transfer says more than that its body is incomplete.
  request.exchange.reason ??= cause === undefined ? messageOf(error) : `${messageOf(error)}; ${cause}`;
  if (error instanceof FilerError) request.exchange.refusal = error.code;
  if (status === 500 && !(error instanceof FilerError)) logger.error({ err: error }, 'unexpected error');
  closeAfterAnswer(request.raw, reply, { isTooSlow: status === 408 });
  if (error instanceof FilerError && error.retryAt !== undefined) {
    reply.header('retry-after', Math.max(1, Math.ceil((error.retryAt - Date.now()) / 1000)));
  }
  return reply
    .code(status)
    .headers(statusHeaders[status] ?? {})
    .type('text/plain; charset=utf-8')
    .send(`${status} ${STATUS_CODES[status]}\n`);
}
