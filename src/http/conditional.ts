import type { IncomingHttpHeaders } from 'node:http';

/** What identifies one state of an upload to a client. */
export interface Validators {
  /** A strong entity tag with its quotes. */
  readonly etag: string;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

const entityTags = /(?:W\/)?"[^"]*"/g;

function lists(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(entityTags) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

/** Whether the upload changed after an HTTP-date, compared in whole seconds; `undefined` if the header is not a date. */
function isNewerThan(header: string, modifiedAt: number): boolean | undefined {
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.floor(modifiedAt / 1000) * 1000 > date;
}

/** The outcome of the conditional headers of a GET or HEAD, evaluated in the order of RFC 9110 §13.2.2. */
export function evaluateConditions(
  headers: IncomingHttpHeaders,
  { etag, modifiedAt }: Validators,
): 'send' | 'not-modified' | 'precondition-failed' {
  const ifMatch = headers['if-match'];
  const ifUnmodifiedSince = headers['if-unmodified-since'];
  if (ifMatch !== undefined) {
    if (!lists(ifMatch, etag, 'strong')) return 'precondition-failed';
  } else if (ifUnmodifiedSince !== undefined && isNewerThan(ifUnmodifiedSince, modifiedAt) === true) {
    return 'precondition-failed';
  }
  const ifNoneMatch = headers['if-none-match'];
  const ifModifiedSince = headers['if-modified-since'];
  if (ifNoneMatch !== undefined) return lists(ifNoneMatch, etag, 'weak') ? 'not-modified' : 'send';
  if (ifModifiedSince === undefined) return 'send';
  return isNewerThan(ifModifiedSince, modifiedAt) === false ? 'not-modified' : 'send';
}

/** Whether Range applies: there is no If-Range, or it names exactly this state (RFC 9110 §13.1.5). */
export function matchesIfRange(ifRange: string | undefined, { etag, modifiedAt }: Validators): boolean {
  if (ifRange === undefined || ifRange === etag) return true;
  return ifRange === new Date(modifiedAt).toUTCString();
}
