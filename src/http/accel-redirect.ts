/*
 * X-Accel-Redirect: the filer decides, nginx sends the bytes and says size, ETag and Last-Modified itself, which agree.
 * nginx keeps Content-Type and Content-Disposition of such an answer; its configuration adds the others
 * (nginx.example.conf). It would keep Cache-Control too, also when it then answers 403 or 404 because it cannot read the
 * file: so that goes by a name of its own, and is added to answers that succeed.
 */
import type { FastifyRequest } from 'fastify';
import type { ByteRange } from '../storage/store.js';
import { encodedPath } from '../upload/encoded-path.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { RawHeaders } from './headers.js';

/** A number of bytes that nginx cannot count to. */
const hugeNumber = /\d{19}/;

/**
 * Whether nginx, which evaluates conditions and range once more, is sure to come to the same answer: it heeds
 * If-Unmodified-Since beside If-Match and Range with HEAD, and answers otherwise to ranges that are to be ignored.
 */
export function isLeftToNginx({ method, headers }: FastifyRequest, range: ByteRange | undefined): boolean {
  return (
    method === 'GET' &&
    headers['if-match'] === undefined &&
    headers['if-unmodified-since'] === undefined &&
    (headers.range === undefined || (range !== undefined && !hugeNumber.test(headers.range)))
  );
}

/** What tells nginx to send an upload. `prefix` has slashes around it; each segment is encoded, since nginx decodes it. */
export function accelHeaders(prefix: string, key: UploadKey, caching: string): RawHeaders {
  const redirect = prefix + encodedPath(key);
  return ['x-accel-redirect', redirect, 'x-accel-cache-control', caching, 'content-length', '0'];
}
