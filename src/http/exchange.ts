import type { IncomingMessage } from 'node:http';

/** What one request and its answer are about, from the raw head on to the log line. */
export interface Exchange {
  /** Percent-encoded path, without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The Content-Type that the client sent, `''` where it sent none. */
  readonly contentType: string;
  /** ms on the monotonic clock. */
  readonly startedAt: number;
  /** Bytes of the upload received or sent. */
  bytes: number;
  uploader?: string | undefined;
  /** Why the request was refused or broke off, for the log. */
  reason?: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
  }
}

/** Reads the raw head of a request; its target may be in origin or absolute form (RFC 9112 §3.2). */
export function beginExchange(request: IncomingMessage, target: string): Exchange {
  const originForm = target.replace(/^https?:\/\/[^/?]*/i, '');
  const [path = '', ...query] = originForm.split('?');
  return {
    path,
    query: new URLSearchParams(query.join('?')),
    contentType: request.headers['content-type'] ?? '',
    startedAt: performance.now(),
    bytes: 0,
  };
}
