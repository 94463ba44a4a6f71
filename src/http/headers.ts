import type { ResponseHeaders, StoredUpload } from '../storage/store.js';
import { yearMs } from '../units.js';
import { dispositionOf } from '../upload/content-disposition.js';
import { servedType } from '../upload/content-type.js';
import type { UploadKey } from '../upload/upload-key.js';

/** The methods that clients use. */
const clientMethods = 'OPTIONS, HEAD, GET, PUT';

/** The value of Allow (RFC 9110 §10.2.1). DELETE, which Metronome uses, is allowed only if `deleteSecret` is set. */
export function allowedMethods({ deleteSecret }: { readonly deleteSecret?: string | undefined }): string {
  return deleteSecret === undefined ? clientMethods : `${clientMethods}, DELETE`;
}

const maxAgeSeconds = yearMs / 1000;

/*
 * Pages of all sites may send any header. That gives them no right: browsers add no cookies and no password where the origin
 * is "*", prosody-filer ignores headers that it does not know, and X-Forwarded-For counts only if a trusted proxy sends it.
 * "*" does not stand for Authorization (Fetch §3.3.4), and older browsers do not know it: these names are the usual ones.
 */
const requestHeaders = 'Authorization, Content-Type, Range, If-None-Match, X-Requested-With, requesttoken, *';

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': clientMethods,
  'access-control-allow-headers': requestHeaders,
  'access-control-expose-headers': 'Content-Length, Content-Range, ETag',
  'access-control-max-age': '7200',
};

/** Header names and values in turn: the form that node:http writes fastest. */
export type RawHeaders = string[];

/** The headers that every answer carries. */
export function commonHeaders(cors: boolean): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    // Without media-src, browsers refuse to play a video that is opened directly.
    'content-security-policy': "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
    ...(cors ? corsHeaders : {}),
  };
}

/** The further headers of every answer that is not an upload. */
export const uncachedHeaders = { 'cache-control': 'no-store' };

/**
 * Cache-Control for an upload (RFC 9111 §5.2.2): a year, or until `keptUntil` (ms since the epoch) if that is earlier. No proxy
 * may change the bytes: XMPP clients compare sizes and hashes, and encrypted files cannot be read any more.
 */
export function cacheControl(keptUntil: number | undefined, now: number): string {
  const secondsLeft = keptUntil === undefined ? maxAgeSeconds : Math.max(0, Math.floor((keptUntil - now) / 1000));
  return `max-age=${Math.min(maxAgeSeconds, secondsLeft)}, immutable, no-transform`;
}

/** The headers that 200, 206 and 304 have in common. The upload stays at least until `keptUntil` (ms since the epoch). */
export function validatorHeaders(upload: StoredUpload, keptUntil: number | undefined, now: number): RawHeaders {
  const lastModified = new Date(upload.modifiedAt).toUTCString();
  const caching = cacheControl(keptUntil, now);
  return ['etag', upload.etag, 'last-modified', lastModified, 'cache-control', caching];
}

/** The headers of 200 and 206 about the content: its type, and Content-Disposition if a browser could run it. */
export function contentHeaders(key: UploadKey, upload: StoredUpload): RawHeaders {
  const headers = ['content-type', servedType(upload.contentType)];
  const disposition = dispositionOf(key, upload.contentType);
  return disposition === undefined ? headers : [...headers, 'content-disposition', disposition];
}

/** The headers that an S3 service should send with an upload that stays at least until `keptUntil` (ms since the epoch). */
export function responseHeaders(
  key: UploadKey,
  { contentType }: StoredUpload,
  keptUntil: number | undefined,
  now: number,
): ResponseHeaders {
  const contentDisposition = dispositionOf(key, contentType);
  return { contentType: servedType(contentType), contentDisposition, cacheControl: cacheControl(keptUntil, now) };
}

/** The headers of a redirect that is not cached. The client repeats its range and conditions at the new location. */
export function redirectHeaders(location: string): RawHeaders {
  return ['location', location, 'content-length', '0', ...Object.entries(uncachedHeaders).flat()];
}
