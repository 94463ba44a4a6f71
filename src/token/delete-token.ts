/*
 * Metronome's token for a DELETE, in the query as `token`: HMAC over path NUL delete_secret, keyed with the secret.
 */
import { FilerError } from '../errors.js';
import type { UploadKey } from '../upload/upload-key.js';
import { hmacHex, isSignedByAny } from './hmac.js';

function message(key: UploadKey, deleteSecret: string): Buffer {
  return Buffer.from(`${key}\0${deleteSecret}`);
}

/** The query, without its `?`, that allows to delete the key. */
export function signDelete(secret: string, key: UploadKey, deleteSecret: string): string {
  return `token=${hmacHex(secret, message(key, deleteSecret))}`;
}

/** Throws unless the query's `token` is Metronome's for deleting the key. */
export function verifyDeleteToken(
  query: URLSearchParams,
  key: UploadKey,
  secrets: readonly string[],
  deleteSecret: string,
): void {
  const [digest, ...repeated] = query.getAll('token');
  if (digest === undefined) throw new FilerError('TOKEN_MISSING', 'no token in the query');
  if (repeated.length > 0 || !isSignedByAny(secrets, message(key, deleteSecret), digest)) {
    throw new FilerError(
      'TOKEN_REFUSED',
      'delete token: made with another secret or deleteSecret, or for another path',
    );
  }
}
