import { type ErrorCode, FilerError, messageOf, systemErrorCode } from '../errors.js';

/** The services' error codes that mean the same whatever the status. */
const meanings: Readonly<Record<string, ErrorCode>> = {
  AbortError: 'STORE_BUSY',
  ConditionalRequestConflict: 'KEY_TAKEN',
  EntityTooLarge: 'SIZE_REFUSED',
  InsufficientStorage: 'STORE_FULL',
  KeyTooLongError: 'KEY_INVALID',
  NotImplemented: 'STORE_REFUSED',
  PreconditionFailed: 'KEY_TAKEN',
  QuotaExceeded: 'STORE_FULL',
  RequestTimeout: 'STORE_BUSY',
  SlowDown: 'STORE_BUSY',
  StorageFull: 'STORE_FULL',
  TimeoutError: 'STORE_BUSY',
  XMinioStorageFull: 'STORE_FULL',
};

/** What an error of the AWS SDK says: its name is the service's code. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The status of the service's answer; `undefined` where there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as ServiceError).$metadata?.httpStatusCode : undefined;
}

function codeOf(error: unknown, status: number | undefined): ErrorCode {
  const meaning = error instanceof Error ? meanings[error.name] : undefined;
  if (meaning !== undefined) return meaning;
  if (status === 507) return 'STORE_FULL';
  if (status !== undefined) return status >= 500 || status === 429 ? 'STORE_BUSY' : 'STORE_REFUSED';
  // Without an answer it is the network, if it has the system's code, or the configuration.
  return systemErrorCode(error) === undefined ? 'STORE_REFUSED' : 'STORE_BUSY';
}

/** The failed call as a FilerError that names the operation and the service's own code; a FilerError is passed on as it is. */
export function describeS3Error(operation: string, error: unknown): FilerError {
  if (error instanceof FilerError) return error;
  const status = statusOf(error);
  const name = error instanceof Error ? error.name : 'unknown';
  const found = [status, status === undefined ? systemErrorCode(error) : undefined, name, messageOf(error)];
  // What the SDK says where the service says nothing.
  const text = found.filter((part) => part !== undefined && part !== '' && part !== 'UnknownError').join(' ');
  return new FilerError(codeOf(error, status), `S3 ${operation}: ${text.replace(/\s+/g, ' ')}`, { cause: error });
}
