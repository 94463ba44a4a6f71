import { createHmac } from 'node:crypto';

/** The secret of protocols' vectors and of every test server. */
export const secret = 'mysecret';

/** HMAC-SHA256 in hex of parts joined by a separator: written apart from src/, so that it can contradict it. */
function signParts(parts: readonly (string | number)[], separator: string, key = secret): string {
  return createHmac('sha256', key).update(parts.join(separator), 'utf8').digest('hex');
}

/** Prosody's and ejabberd's `?v=` token. */
export function v1Token(path: string, size: number, key?: string): string {
  return signParts([path, size], ' ', key);
}

/** Prosody's `?v2=` and Metronome's `?token=` token. */
export function v2Token(path: string, size: number, type: string, key?: string): string {
  return signParts([path, size, type], '\0', key);
}

/** Metronome's token for a DELETE. */
export function deleteToken(path: string, deleteSecret: string): string {
  return signParts([path, deleteSecret], '\0');
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A JWT with these claims, signed with HMAC-SHA256 whatever its header says. */
export function jwt(claims: object, { alg = 'HS256', typ = 'JWT', key = secret } = {}): string {
  const signed = `${base64url({ alg, typ })}.${base64url(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** The Authorization header of mod_http_file_share with these claims. */
export function bearer(claims: object, options: { alg?: string; key?: string } = {}): string {
  return `Bearer ${jwt(claims, options)}`;
}

/** The `typ` of the token of our own slots, apart from which it is a JWT as others. */
export const slotTyp = 'upload-slot+jwt';

/**
 * Made by the util.jwt of Prosody 0.12.3 with the secret: 23026 bytes of image/jpeg by romeo@example.org for
 * `o35x3G_omPCeWzZw/très cool.jpg`, iat 1700000000, expires 1700604800.
 */
export const prosodysBearer =
  'Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJmaWxlc2l6ZSI6MjMwMjYsImV4cCI6MTcwMDAwMDMwMCwiZmlsZXR5cGUiOiJpbWFnZS9qcGVnIiwiaWF0IjoxNzAwMDAwMDAwLCJzdWIiOiJyb21lb0BleGFtcGxlLm9yZyIsInNsb3QiOiJvMzV4M0dfb21QQ2VXelp3IiwiZXhwaXJlcyI6MTcwMDYwNDgwMCwiZmlsZW5hbWUiOiJ0csOocyBjb29sLmpwZyJ9.EgDmJaMQy4zBZt5w-30Z1MXceYkux3PnEOdm-Ju-bEA';
