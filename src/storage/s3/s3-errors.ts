import { type ErrorCode, FilerError, messageOf, systemErrorCode } from '../../errors.js';

/** How long (ms) the service may take to answer a request without a large body. */
export const answerMs = 10_000;

/** Error codes of services that mean the same whatever the status. */
const meanings: Readonly<Record<string, ErrorCode>> = {
  AbortError: 'STORE_BUSY',
  ConditionalRequestConflict: 'KEY_TAKEN',
  CredentialsProviderError: 'STORE_BUSY',
  EntityTooLarge: 'SIZE_REFUSED',
  InsufficientStorage: 'STORE_FULL',
  KeyTooLongError: 'NAME_TOO_LONG',
  NotImplemented: 'STORE_REFUSED',
  PreconditionFailed: 'KEY_TAKEN',
  QuotaExceeded: 'STORE_FULL',
  // A host that has just started may have the wrong time.
  RequestTimeTooSkewed: 'STORE_BUSY',
  RequestTimeout: 'STORE_BUSY',
  SlowDown: 'STORE_BUSY',
  StorageFull: 'STORE_FULL',
  TimeoutError: 'STORE_BUSY',
  XMinioStorageFull: 'STORE_FULL',
};

/** What is wrong, and what to do, by the services' error codes. */
const hints: Readonly<Record<string, string>> = {
  AccessDenied: 'this key may not do that: allow it in the policy of the key or of the bucket',
  AccountProblem: 'ask the service about the account',
  AuthorizationHeaderMalformed: 'set s3.region to the region of the bucket',
  CredentialsProviderError: 'set s3.accessKeyId and s3.secretAccessKey, or give this process a key of its machine',
  InvalidAccessKeyId: 'the service does not know this key: check s3.accessKeyId',
  NoSuchBucket: 'the service has no such bucket: check s3.bucket',
  PermanentRedirect: 'set s3.region to the region of the bucket',
  RequestTimeTooSkewed: "the clocks of this host and of the service differ too much: set this host's clock (NTP)",
  SignatureDoesNotMatch: 'the secret does not belong to the key: check s3.secretAccessKey',
  UserSuspended: 'the user of this key was suspended',
};

/** Answers to HEAD have no body that says more. */
const anyRefusal = 'this key may not do that, or is no longer valid';

/** An error of the AWS SDK. Its name is the service's error code. */
interface ServiceError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The status of the service's answer; `undefined` if there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as ServiceError).$metadata?.httpStatusCode : undefined;
}

/** Whether the service answered and may have refused this one object only: requests for other objects may work. */
export function isOfOneObject(error: FilerError): boolean {
  const status = statusOf(error.cause);
  return status !== undefined && ![429, 502, 503, 504].includes(status);
}

function codeOf(error: unknown, status: number | undefined): ErrorCode {
  const meaning = error instanceof Error ? meanings[error.name] : undefined;
  if (meaning !== undefined) return meaning;
  if (status === 507) return 'STORE_FULL';
  if (status !== undefined) return status >= 500 || status === 429 ? 'STORE_BUSY' : 'STORE_REFUSED';
  // Without an answer, an error with a system code is the network's. Any other is a mistake in the configuration.
  return systemErrorCode(error) === undefined ? 'STORE_REFUSED' : 'STORE_BUSY';
}

/** What the service said, and what to do. */
function describe(error: unknown, status: number | undefined): string {
  const name = error instanceof Error ? error.name : 'unknown';
  if (name === 'AbortError') return `no answer for ${answerMs / 1000} s`;
  if (messageOf(error).includes('Deserialization error'))
    return `${status}, but that is no S3 service: check s3.endpointUrl`;
  // Without an answer the name says little: the SDK calls any end of a connection a timeout.
  const found = status === undefined ? [systemErrorCode(error), messageOf(error)] : [status, name, messageOf(error)];
  // The SDK says so where the service says nothing.
  const empty = [undefined, '', 'Unknown', 'UnknownError'];
  const text = found.filter((part) => !empty.includes(part?.toString())).join(' ');
  const hint = status === 403 && name === 'Unknown' ? anyRefusal : hints[name];
  return (hint === undefined ? text : `${text}: ${hint}`).replace(/\s+/g, ' ');
}

/** A failed request as a FilerError that names the operation and the service's error code; a FilerError is passed on as it is. */
export function describeS3Error(operation: string, error: unknown): FilerError {
  if (error instanceof FilerError) return error;
  const status = statusOf(error);
  return new FilerError(codeOf(error, status), `S3 ${operation}: ${describe(error, status)}`, { cause: error });
}
