import { constants } from 'node:os';

/** Why something was refused or failed; http/error-handler.ts has a status for each, slots/upload-stanzas.ts a stanza error. */
export type ErrorCode =
  | 'AUTHORIZATION_MALFORMED'
  | 'BODY_INCOMPLETE'
  | 'DOWNLOADS_LIMITED'
  | 'EXPECTATION_UNKNOWN'
  | 'HOST_MISSING'
  | 'KEY_INVALID'
  | 'KEY_TAKEN'
  | 'LENGTH_MISSING'
  | 'METHOD_UNKNOWN'
  | 'NOT_FOUND'
  | 'PRECONDITION_FAILED'
  | 'QUOTA_REACHED'
  | 'RANGE_UNSATISFIABLE'
  | 'REQUEST_INVALID'
  | 'SIZE_REFUSED'
  | 'SLOTS_LIMITED'
  | 'STORE_BUSY'
  | 'STORE_FAILED'
  | 'STORE_FULL'
  | 'STORE_REFUSED'
  | 'STORE_UNUSABLE'
  | 'TOKEN_MISSING'
  | 'TOKEN_REFUSED'
  | 'TYPE_REFUSED'
  | 'UPLOADER_REFUSED'
  | 'UPLOADS_LIMITED'
  | 'UPLOAD_EXPIRED'
  | 'UPLOAD_REPLACED'
  | 'UPLOAD_RUNNING'
  | 'UPLOAD_TOO_SLOW';

/** A refusal or failure; `message` is one line for the operator's log and never holds a token or a secret. */
export class FilerError extends Error {
  readonly code: ErrorCode;
  /** When trying again may help, ms since the epoch. */
  readonly retryAt: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { retryAt?: number | undefined } = {}) {
    super(message, options);
    this.name = 'FilerError';
    this.code = code;
    this.retryAt = options.retryAt;
  }
}

/** What a thrown value says, on one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's error code of a failed call, such as `ENOENT`, or `undefined` for any other value. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  // libuv has no name for it: the code would be "Unknown system error -122".
  if ('errno' in error && error.errno === -constants.errno.EDQUOT) return 'EDQUOT';
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A command got an argument or found a state that it cannot work with. The message names it, what was found and what is expected. */
export class UsageError extends Error {}
