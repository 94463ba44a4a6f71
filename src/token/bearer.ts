/*
 * Authorization: Bearer <JWT> of Prosody's mod_http_file_share with an external base URL: claims slot and filename, sub is
 * a bare JID. The PUT's path is exactly slot "/" filename.
 */
import { FilerError } from '../errors.js';
import { grantOf, type JwtKind, type JwtOptions, refuseJwt, signJwt, verifyJwt } from './jwt.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

const kind: JwtKind = { typ: 'JWT', name: 'bearer' };
const credentials = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*) *$/i;

/**
 * The Authorization header by which an issuer with this secret allows the upload, for 300 s from `now`.
 * Throws `KEY_INVALID` where the key is not slot/filename.
 */
export async function signBearer(secret: string, upload: Slot, options: JwtOptions): Promise<string> {
  const [slot, filename, ...more] = upload.key.split('/');
  if (slot === undefined || filename === undefined || more.length > 0) {
    throw new FilerError(
      'KEY_INVALID',
      `a Bearer token is for a path of the form slot/filename, not for ${upload.key}`,
    );
  }
  return `Bearer ${await signJwt(kind, secret, upload, options, { slot, filename })}`;
}

/**
 * What the Bearer token in an Authorization header allows for the announced upload at `now` (ms since the epoch).
 * Throws `AUTHORIZATION_MALFORMED`, `TOKEN_REFUSED`, or `SIZE_REFUSED` where only the size differs.
 */
export async function verifyBearer(
  authorization: string,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  now: number,
): Promise<Grant> {
  const jwt = credentials.exec(authorization)?.[1];
  if (jwt === undefined) throw new FilerError('AUTHORIZATION_MALFORMED', 'the Authorization header is no Bearer token');
  const claims = await verifyJwt(kind, jwt, settings.secrets, now);
  if (upload.key.split('/').length !== 2) throw refuseJwt(kind, 'the path is not slot/filename');
  if (`${claims['slot']}/${claims['filename']}` !== upload.key) {
    throw refuseJwt(kind, 'made for another slot or file name');
  }
  return grantOf(kind, claims, upload, now);
}
