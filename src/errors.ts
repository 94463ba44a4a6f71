import { constants } from 'node:os';

/** Why a request over HTTP was refused or failed; http/error-handler.ts has a status for each. */
export type HttpErrorCode =
  | 'AUTHORIZATION_MALFORMED'
  | 'BODY_INCOMPLETE'
  | 'DOWNLOADS_LIMITED'
  | 'EXPECTATION_UNKNOWN'
  | 'HOST_MISSING'
  | 'KEY_INVALID'
  | 'KEY_TAKEN'
  | 'LENGTH_MISSING'
  | 'METHOD_UNKNOWN'
  | 'NAME_TOO_LONG'
  | 'NOT_FOUND'
  | 'PRECONDITION_FAILED'
  | 'QUOTA_REACHED'
  | 'RANGE_UNSATISFIABLE'
  | 'SIZE_REFUSED'
  | 'STORE_BUSY'
  | 'STORE_FAILED'
  | 'STORE_FULL'
  | 'STORE_REFUSED'
  | 'STORE_UNUSABLE'
  | 'TOKEN_MISSING'
  | 'TOKEN_REFUSED'
  | 'UPLOADS_LIMITED'
  | 'UPLOAD_EXPIRED'
  | 'UPLOAD_REPLACED'
  | 'UPLOAD_RUNNING'
  | 'UPLOAD_TOO_SLOW';

/** Why a slot was refused, for reasons that HTTP does not have; slots/upload-stanzas.ts has a stanza error for each. */
export type SlotErrorCode = 'REQUEST_INVALID' | 'SLOTS_LIMITED' | 'TYPE_REFUSED' | 'UPLOADER_REFUSED';

/** Why something was refused or failed. */
export type ErrorCode = HttpErrorCode | SlotErrorCode;

interface FilerErrorOptions extends ErrorOptions {
  readonly retryAt?: number | undefined;
  readonly told?: string;
}

/** A refusal or failure. Its `message` is one line for the log and never contains a token or a secret. */
export class FilerError extends Error {
  readonly code: ErrorCode;
  /** When a retry may succeed, ms since the epoch. */
  readonly retryAt: number | undefined;
  /** A sentence for the client that says more than the code. Anybody may read it. */
  readonly told: string | undefined;

  constructor(code: ErrorCode, message: string, options: FilerErrorOptions = {}) {
    super(message, options);
    this.name = 'FilerError';
    this.code = code;
    this.retryAt = options.retryAt;
    this.told = options.told;
  }
}

/** The message of a thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's error code of a failed call, such as `ENOENT`, or `undefined` for any other value. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  // libuv has no name for EDQUOT, so the code would be "Unknown system error -122".
  if ('errno' in error && error.errno === -constants.errno.EDQUOT) return 'EDQUOT';
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A command got an argument or found a state that it cannot work with. The message names it, what was found and what is expected. */
export class UsageError extends Error {}
