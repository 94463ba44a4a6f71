import { createHmac, timingSafeEqual } from 'node:crypto';

/** HMAC-SHA256 of a message as 64 lowercase hex digits, keyed with the raw bytes of the secret. */
export function hmacHex(secret: string, message: Buffer): string {
  return createHmac('sha256', secret).update(message).digest('hex');
}

/** Whether this is the digest of the message with any of the secrets. Tries all of them, each in constant time. */
export function isSignedByAny(secrets: readonly string[], message: Buffer, digest: string): boolean {
  const given = Buffer.from(digest, 'latin1');
  let isSigned = false;
  for (const secret of secrets) {
    const expected = Buffer.from(hmacHex(secret, message), 'latin1');
    if (given.length === expected.length && timingSafeEqual(given, expected)) isSigned = true;
  }
  return isSigned;
}
