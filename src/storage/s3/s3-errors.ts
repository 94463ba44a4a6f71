import { type ErrorCode, FilerError, messageOf, systemErrorCode } from '../../errors.js';

/** How long (ms) the service may take to answer what has no large body. */
export const answerMs = 10_000;

/** The services' error codes that mean the same whatever the status. */
const meanings: Readonly<Record<string, ErrorCode>> = {
  AbortError: 'STORE_BUSY',
  ConditionalRequestConflict: 'KEY_TAKEN',
  CredentialsProviderError: 'STORE_BUSY',
  EntityTooLarge: 'SIZE_REFUSED',
  InsufficientStorage: 'STORE_FULL',
  KeyTooLongError: 'KEY_INVALID',
  NotImplemented: 'STORE_REFUSED',
  PreconditionFailed: 'KEY_TAKEN',
  QuotaExceeded: 'STORE_FULL',
  // The clock of a host that has just started.
  RequestTimeTooSkewed: 'STORE_BUSY',
  RequestTimeout: 'STORE_BUSY',
  SlowDown: 'STORE_BUSY',
  StorageFull: 'STORE_FULL',
  TimeoutError: 'STORE_BUSY',
  XMinioStorageFull: 'STORE_FULL',
};

/** What is wrong, and where, as far as the services' error codes tell. */
const hints: Readonly<Record<string, string>> = {
  AccessDenied: 'the key may not do this: allow it in the policy of the key or of the bucket',
  AccountProblem: 'ask the service about the account',
  AuthorizationHeaderMalformed: 'is s3.region that of the bucket?',
  CredentialsProviderError: 'set s3.accessKeyId and s3.secretAccessKey, or give this process a key of its machine',
  InvalidAccessKeyId: 'the service knows no such key, or no longer: s3.accessKeyId',
  NoSuchBucket: 'the service has no such bucket: s3.bucket',
  PermanentRedirect: 'is s3.region that of the bucket?',
  RequestTimeTooSkewed: "this host's clock is wrong, or the service's",
  SignatureDoesNotMatch: 'the secret is not that of the key: s3.secretAccessKey',
  UserSuspended: 'the user whose key this is was suspended',
};

/** Answers to HEAD have no body that could say more. */
const anyRefusal = 'the key may not do this, or is not valid any more';

/** What an error of the AWS SDK says: its name is the service's code. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The status of the service's answer; `undefined` where there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as ServiceError).$metadata?.httpStatusCode : undefined;
}

/** Whether the service answered, and what it refused may be this one object only: another request may work. */
export function isOfOneObject(error: FilerError): boolean {
  const status = statusOf(error.cause);
  return status !== undefined && ![429, 502, 503, 504].includes(status);
}

function codeOf(error: unknown, status: number | undefined): ErrorCode {
  const meaning = error instanceof Error ? meanings[error.name] : undefined;
  if (meaning !== undefined) return meaning;
  if (status === 507) return 'STORE_FULL';
  if (status !== undefined) return status >= 500 || status === 429 ? 'STORE_BUSY' : 'STORE_REFUSED';
  // Without an answer it is the network, if it has the system's code, or the configuration.
  return systemErrorCode(error) === undefined ? 'STORE_REFUSED' : 'STORE_BUSY';
}

/** What was found, with what to do about it. */
function describe(error: unknown, status: number | undefined): string {
  const name = error instanceof Error ? error.name : 'unknown';
  if (name === 'AbortError') return `no answer for ${answerMs / 1000} s`;
  if (messageOf(error).includes('Deserialization error')) return `${status}, but not by an S3 service: s3.endpointUrl`;
  // Without an answer the name says less: the SDK calls any end of a connection a timeout.
  const found = status === undefined ? [systemErrorCode(error), messageOf(error)] : [status, name, messageOf(error)];
  // What the SDK says where the service says nothing.
  const empty = [undefined, '', 'Unknown', 'UnknownError'];
  const text = found.filter((part) => !empty.includes(part?.toString())).join(' ');
  const hint = status === 403 && name === 'Unknown' ? anyRefusal : hints[name];
  return (hint === undefined ? text : `${text}: ${hint}`).replace(/\s+/g, ' ');
}

/** The failed call as a FilerError that names the operation and the service's own code; a FilerError is passed on as it is. */
export function describeS3Error(operation: string, error: unknown): FilerError {
  if (error instanceof FilerError) return error;
  const status = statusOf(error);
  return new FilerError(codeOf(error, status), `S3 ${operation}: ${describe(error, status)}`, { cause: error });
}
