/*
 * "Authorization: Bearer <JWT>", which Prosody's mod_http_file_share issues with an external base URL. The claims slot and
 * filename name the upload: the path of the PUT is exactly slot "/" filename. The claim sub is a bare JID.
 */
import { FilerError } from '../errors.js';
import { grantOf, type JwtKind, type JwtOptions, refuseJwt, signJwt, verifyJwt } from './jwt.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

const kind: JwtKind = { typ: 'JWT', name: 'bearer' };
const credentials = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*) *$/i;

/**
 * The value of the Authorization header that allows the upload for 300 s from `now`.
 * Throws `KEY_INVALID` if the key does not have the form slot/filename.
 */
export async function signBearer(secret: string, upload: Slot, options: JwtOptions): Promise<string> {
  const [slot, filename, ...more] = upload.key.split('/');
  if (slot === undefined || filename === undefined || more.length > 0) {
    throw new FilerError('KEY_INVALID', `a Bearer token needs a path of the form slot/filename, got ${upload.key}`);
  }
  return `Bearer ${await signJwt(kind, secret, upload, options, { slot, filename })}`;
}

/**
 * Verifies the Bearer token in an Authorization header for the announced upload at `now` (ms since the epoch).
 * Throws `AUTHORIZATION_MALFORMED`, `TOKEN_REFUSED`, or `SIZE_REFUSED` if only the size differs.
 */
export async function verifyBearer(
  authorization: string,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  now: number,
): Promise<Grant> {
  const jwt = credentials.exec(authorization)?.[1];
  if (jwt === undefined)
    throw new FilerError('AUTHORIZATION_MALFORMED', 'the Authorization header does not hold a Bearer token');
  const claims = await verifyJwt(kind, jwt, settings.secrets, now);
  if (upload.key.split('/').length !== 2) throw refuseJwt(kind, 'the path does not have the form slot/filename');
  if (`${claims['slot']}/${claims['filename']}` !== upload.key) {
    throw refuseJwt(kind, 'it was made for another slot or file name');
  }
  return grantOf(kind, claims, upload, now);
}
