/*
 * Metronome's token for a DELETE, in the parameter `token` of the query: HMAC over path NUL delete_secret, keyed with the
 * secret.
 */
import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { hmacHex, isSignedByAny } from './hmac.js';

function message(key: UploadKey, deleteSecret: string): Buffer {
  return Buffer.from(`${key}\0${deleteSecret}`);
}

/** The query, without its `?`, that allows deleting the key. */
export function signDelete(secret: string, key: UploadKey, deleteSecret: string): string {
  return `token=${hmacHex(secret, message(key, deleteSecret))}`;
}

/** Verifies Metronome's token for deleting the key. Throws `TOKEN_MISSING` or `TOKEN_REFUSED`. */
export function verifyDeleteToken(
  query: URLSearchParams,
  key: UploadKey,
  secrets: readonly string[],
  deleteSecret: string,
): void {
  const [digest, ...repeated] = query.getAll('token');
  if (digest === undefined) throw new FilerError('TOKEN_MISSING', 'the query has no token');
  if (repeated.length > 0 || !isSignedByAny(secrets, message(key, deleteSecret), digest)) {
    throw new FilerError(
      'TOKEN_REFUSED',
      'delete token: it was made with another secret or deleteSecret, or for another path',
    );
  }
}
