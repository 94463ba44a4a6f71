/*
 * X-Accel-Redirect: prosody-filer decides, and nginx sends the bytes with its own size, ETag and Last-Modified, which are
 * the same as ours. nginx keeps Content-Type and Content-Disposition of our answer. nginx.example.conf adds the others.
 * nginx would keep Cache-Control too, even if it cannot read the file and answers 403 or 404. So it gets that value as
 * X-Accel-Cache-Control, and its configuration adds it to successful answers only.
 */
import type { FastifyRequest } from 'fastify';
import type { ByteRange } from '../storage/store.js';
import { encodedPath } from '../upload/encoded-path.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { RawHeaders } from './headers.js';

/** A position in a file that overflows nginx's counter. */
const hugeNumber = /\d{19}/;

/**
 * Whether nginx is certain to give the same answer as prosody-filer, since it evaluates conditions and range once more.
 * nginx differs in three cases: If-Unmodified-Since beside If-Match, Range with HEAD, and ranges that must be ignored.
 */
export function isLeftToNginx({ method, headers }: FastifyRequest, range: ByteRange | undefined): boolean {
  return (
    method === 'GET' &&
    headers['if-match'] === undefined &&
    headers['if-unmodified-since'] === undefined &&
    (headers.range === undefined || (range !== undefined && !hugeNumber.test(headers.range)))
  );
}

/** The headers by which nginx sends an upload. `prefix` begins and ends with a slash. nginx decodes the path. */
export function accelHeaders(prefix: string, key: UploadKey, caching: string): RawHeaders {
  const redirect = prefix + encodedPath(key);
  return ['x-accel-redirect', redirect, 'x-accel-cache-control', caching, 'content-length', '0'];
}
