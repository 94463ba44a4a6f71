import type { HttpErrorCode } from '../errors.js';

/** The status of the answer to each refused or failed request. */
export const statusOf: Readonly<Record<HttpErrorCode, number>> = {
  AUTHORIZATION_MALFORMED: 401,
  BODY_INCOMPLETE: 400,
  DOWNLOADS_LIMITED: 503,
  EXPECTATION_UNKNOWN: 417,
  HOST_MISSING: 400,
  KEY_INVALID: 400,
  KEY_TAKEN: 409,
  LENGTH_MISSING: 411,
  METHOD_UNKNOWN: 405,
  NAME_TOO_LONG: 414,
  NOT_FOUND: 404,
  PRECONDITION_FAILED: 412,
  QUOTA_REACHED: 413,
  RANGE_UNSATISFIABLE: 416,
  SIZE_REFUSED: 413,
  STORE_BUSY: 503,
  STORE_FAILED: 500,
  STORE_FULL: 507,
  STORE_REFUSED: 502,
  STORE_UNUSABLE: 500,
  TOKEN_MISSING: 403,
  TOKEN_REFUSED: 403,
  UPLOADS_LIMITED: 503,
  UPLOAD_EXPIRED: 410,
  UPLOAD_REPLACED: 503,
  UPLOAD_RUNNING: 409,
  UPLOAD_TOO_SLOW: 408,
};

/** Whether a request over HTTP can be refused with this code. */
export function isHttpCode(code: string): code is HttpErrorCode {
  return Object.hasOwn(statusOf, code);
}
