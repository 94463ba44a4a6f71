import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../errors.js';

/** Why the server broke off a transfer. */
export type CutReason = 'DOWNLOADS_LIMITED' | 'DOWNLOAD_STALLED' | 'SHUTDOWN' | 'UPLOAD_STALLED';

/** What one request and its answer are about, from the raw head on to the log line. */
export interface Exchange {
  /** The client's address, as far as trusted proxies tell; `undefined` on a Unix socket. */
  readonly client: string | undefined;
  /** Percent-encoded path, without query. */
  readonly path: string;
  /** As it was sent, without the question mark. */
  readonly query: string;
  /** The Content-Type that the client sent, `''` where it sent none. */
  readonly contentType: string;
  /** ms on the monotonic clock. */
  readonly startedAt: number;
  /** How many bytes the connection had read before this request. */
  readonly readBefore: number;
  /** Bytes of the upload received or sent, or left to somebody else to send. */
  bytes: number;
  /** Who was told to send them, if not this program. */
  sentBy?: 'nginx' | 'the store';
  uploader?: string | undefined;
  /** Why the request was refused or broke off, for the log. */
  reason?: string;
  /** The same for the metrics, where it was refused. */
  refusal?: ErrorCode;
  /** The same for the metrics, where the server broke it off. */
  cutFor?: CutReason;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
  }
}

/** The client as far as trusted proxies tell; where X-Forwarded-For holds no address, the last proxy before it. */
function clientOf({ ip, ips }: FastifyRequest): string | undefined {
  return ips === undefined || isIP(ip) !== 0 ? ip : ips.at(-2);
}

/** Reads the raw head of a request; its target may be in origin or absolute form (RFC 9112 §3.2). */
export function beginExchange(request: FastifyRequest, readBefore: number): Exchange {
  const { raw, originalUrl } = request;
  const originForm = originalUrl.startsWith('/') ? originalUrl : originalUrl.replace(/^https?:\/\/[^/?]*/i, '');
  const queryAt = originForm.indexOf('?');
  return {
    // Read now: a closed connection has no address any more.
    client: clientOf(request),
    path: queryAt === -1 ? originForm : originForm.slice(0, queryAt),
    query: queryAt === -1 ? '' : originForm.slice(queryAt + 1),
    contentType: raw.headers['content-type'] ?? '',
    startedAt: performance.now(),
    readBefore,
    bytes: 0,
  };
}

/** Breaks off the connection of a request, and notes why for log and metrics. */
export function cutOff({ exchange, raw }: FastifyRequest, code: CutReason, reason: string): void {
  Object.assign(exchange, { cutFor: code, reason });
  raw.socket.destroy();
}

/** Calls back when the exchange is over, however it ends, and nothing changes of it any more. */
export function afterExchange({ raw }: FastifyReply, callback: () => void): void {
  // The handler hears of a broken connection in the same turn, and is to say first what it means.
  raw.once('close', () => setImmediate(callback));
}
