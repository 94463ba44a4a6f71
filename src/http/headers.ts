import type { ResponseHeaders, StoredUpload } from '../storage/store.js';
import { dispositionOf } from '../upload/content-disposition.js';
import { servedType } from '../upload/content-type.js';
import type { UploadKey } from '../upload/upload-key.js';

/** The methods of clients. */
const clientMethods = 'OPTIONS, HEAD, GET, PUT';

/** The methods that are taken (RFC 9110 §10.2.1): DELETE, which is for Metronome, with `deleteSecret` only. */
export function allowedMethods({ deleteSecret }: { readonly deleteSecret?: string | undefined }): string {
  return deleteSecret === undefined ? clientMethods : `${clientMethods}, DELETE`;
}

const maxAgeSeconds = 365 * 24 * 60 * 60;

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': clientMethods,
  'access-control-allow-headers': 'Authorization, Content-Type',
  'access-control-expose-headers': 'Content-Length, Content-Range, ETag',
  'access-control-max-age': '7200',
};

/** Headers as node:http takes them in the least time: names and values in turns. */
export type RawHeaders = string[];

/** The headers that every answer carries. */
export function commonHeaders(cors: boolean): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    // media-src lets a browser play a video that is opened by itself.
    'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
    ...(cors ? corsHeaders : {}),
  };
}

/** The headers of an answer that is no upload's, beside those that every answer carries. */
export const uncachedHeaders = { 'cache-control': 'no-store' };

/** How long an upload may be cached (RFC 9111 §5.2.2): a year, but no longer than it is sure to stay. */
export function cacheControl(keptUntil: number | undefined, now: number): string {
  const secondsLeft = keptUntil === undefined ? maxAgeSeconds : Math.max(0, Math.floor((keptUntil - now) / 1000));
  return `max-age=${Math.min(maxAgeSeconds, secondsLeft)}, immutable`;
}

/** What 200, 206 and 304 say of an upload that is sure to stay until then (ms since the epoch). */
export function validatorHeaders(upload: StoredUpload, keptUntil: number | undefined, now: number): RawHeaders {
  const lastModified = new Date(upload.modifiedAt).toUTCString();
  const caching = cacheControl(keptUntil, now);
  return ['etag', upload.etag, 'last-modified', lastModified, 'cache-control', caching];
}

/** What 200 and 206 say of an upload's content: its type, and for all that could run in a browser a download's name. */
export function contentHeaders(key: UploadKey, upload: StoredUpload): RawHeaders {
  const headers = ['content-type', servedType(upload.contentType)];
  const disposition = dispositionOf(key, upload.contentType);
  return disposition === undefined ? headers : [...headers, 'content-disposition', disposition];
}

/** What another server is to say of an upload that is sure to stay until then (ms since the epoch). */
export function responseHeaders(
  key: UploadKey,
  { contentType }: StoredUpload,
  keptUntil: number | undefined,
  now: number,
): ResponseHeaders {
  const contentDisposition = dispositionOf(key, contentType);
  return { contentType: servedType(contentType), contentDisposition, cacheControl: cacheControl(keptUntil, now) };
}

/** What sends a client elsewhere, for this once: range and conditions go with it. */
export function redirectHeaders(location: string): RawHeaders {
  return ['location', location, 'content-length', '0', ...Object.entries(uncachedHeaders).flat()];
}
