import type { HttpErrorCode } from './errors.js';

/*
 * What a client is told of a refusal. Some clients show it to their user. Anybody can read it, so it names no path, no size
 * of the store and no other user; the log has these.
 */
const sentences: Readonly<Record<HttpErrorCode, string>> = {
  AUTHORIZATION_MALFORMED: 'The Authorization header does not hold a Bearer token.',
  BODY_INCOMPLETE: 'The upload does not have the announced number of bytes.',
  DOWNLOADS_LIMITED: 'Too many downloads are running, so try again in a moment.',
  EXPECTATION_UNKNOWN: 'The Expect header may only be 100-continue.',
  HOST_MISSING: 'The request has no Host header.',
  KEY_INVALID: 'No file can have this URL.',
  KEY_TAKEN: 'This URL has already been used for an upload, so send the file anew.',
  LENGTH_MISSING: 'The upload has no Content-Length header.',
  METHOD_UNKNOWN: 'This method is not supported here.',
  NAME_TOO_LONG: 'The name of the file is too long, so shorten it.',
  NOT_FOUND: 'There is no file at this URL.',
  PRECONDITION_FAILED: 'The file does not meet the conditions of the request.',
  QUOTA_REACHED: 'Your upload quota has no room for this file.',
  RANGE_UNSATISFIABLE: 'The file ends before the range that was asked for.',
  SIZE_REFUSED: 'The file is too large for this server.',
  STORE_BUSY: 'The server is busy, so try again in a moment.',
  STORE_FAILED: 'The server could not read or write the file.',
  STORE_FULL: 'The server has no room for this file.',
  STORE_REFUSED: 'The server could not read or write the file.',
  STORE_UNUSABLE: 'The server could not read or write the file.',
  TOKEN_MISSING: 'The upload needs a token, in its URL or in an Authorization header.',
  TOKEN_REFUSED: 'The token does not allow this upload: it has expired, or was made for another file.',
  UPLOADS_LIMITED: 'Too many uploads are running, so try again in a moment.',
  UPLOAD_EXPIRED: 'The file has expired or was deleted.',
  UPLOAD_REPLACED: 'The file changed while it was being read, so try again.',
  UPLOAD_RUNNING: 'Another upload to this URL is still running.',
  UPLOAD_TOO_SLOW: 'The upload took too long.',
};

/** The sentence for a request that is not valid HTTP. */
export const unclearRequest = 'The server does not understand this request.';

/** The sentence for the client of a refused request. */
export function refusalSentence(code: HttpErrorCode): string {
  return sentences[code];
}

/** Whether prosody-filer writes this sentence. */
export function isRefusalSentence(text: string): boolean {
  return Object.values(sentences).includes(text);
}
