import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpErrorCode } from '../errors.js';

/** Why the server aborted a transfer. */
export type CutReason = 'DOWNLOADS_LIMITED' | 'DOWNLOAD_STALLED' | 'SHUTDOWN' | 'UPLOAD_STALLED';

/** One request and its answer, as handlers, log and metrics need it. */
export interface Exchange {
  /** The client's address, from X-Forwarded-For if the proxy is trusted; `undefined` on a Unix socket. */
  readonly client: string | undefined;
  /** Percent-encoded path, without query. */
  readonly path: string;
  /** The raw query, without the question mark. */
  readonly query: string;
  /** The Content-Type that the client sent, or `''`. */
  readonly contentType: string;
  /** ms on the monotonic clock. */
  readonly startedAt: number;
  /** Bytes that the connection had read before this request. */
  readonly readBefore: number;
  /** Bytes of the upload that were received or sent, also by `sentBy`. */
  bytes: number;
  /** Who sends them in place of prosody-filer. */
  sentBy?: 'nginx' | 'the store';
  uploader?: string | undefined;
  /** Why the request was refused or aborted, for the log. */
  reason?: string;
  /** Why it was refused, for the metrics; `UNEXPECTED`: it failed for a reason that no code names. */
  refusal?: HttpErrorCode | 'UNEXPECTED' | undefined;
  /** Why the server aborted it, for the metrics. */
  cutFor?: CutReason;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
  }
}

/** The client's address. If X-Forwarded-For does not hold an address there, the address of the last trusted proxy. */
function clientOf({ ip, ips }: FastifyRequest): string | undefined {
  return ips === undefined || isIP(ip) !== 0 ? ip : ips.at(-2);
}

/** Begins an exchange from the raw head of a request, whose target is in origin or absolute form (RFC 9112 §3.2). */
export function beginExchange(request: FastifyRequest, readBefore: number): Exchange {
  const { raw, originalUrl } = request;
  const originForm = originalUrl.startsWith('/') ? originalUrl : originalUrl.replace(/^https?:\/\/[^/?]*/i, '');
  const queryAt = originForm.indexOf('?');
  return {
    // The address has to be read now: it is gone once the connection is closed.
    client: clientOf(request),
    path: queryAt === -1 ? originForm : originForm.slice(0, queryAt),
    query: queryAt === -1 ? '' : originForm.slice(queryAt + 1),
    contentType: raw.headers['content-type'] ?? '',
    startedAt: performance.now(),
    readBefore,
    bytes: 0,
  };
}

/** Closes the connection of a request at once, and records why for log and metrics. */
export function cutOff({ exchange, raw }: FastifyRequest, code: CutReason, reason: string): void {
  Object.assign(exchange, { cutFor: code, reason });
  raw.socket.destroy();
}

/** Calls back once the exchange is over, completed or aborted, and its facts are final. */
export function afterExchange({ raw }: FastifyReply, callback: () => void): void {
  // The handler learns of a closed connection in the same turn of the event loop, and has to record the reason first.
  raw.once('close', () => setImmediate(callback));
}
