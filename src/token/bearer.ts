/*
 * Authorization: Bearer <JWT> of Prosody's mod_http_file_share with an external base URL: RFC 7515 HS256,
 * claims slot, filename, filesize (bytes), filetype, sub (bare JID), iat, exp and expires (s since the epoch).
 * The PUT's path is exactly slot "/" filename.
 */
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { FilerError } from '../errors.js';
import { unknownType } from '../upload/content-type.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

/** How long Prosody 0.12's tokens are valid. */
const validSeconds = 300;

const credentials = /^Bearer +([\w-]+\.[\w-]+\.[\w-]*) *$/i;

function refuse(reason: string, cause?: unknown): FilerError {
  return new FilerError('TOKEN_REFUSED', `bearer token: ${reason}`, { cause });
}

/** Claims of a JWT that one of the secrets signed and that is valid at `now`; a wrong signature tries the next one. */
async function verifiedClaims(jwt: string, secrets: readonly string[], now: number): Promise<JWTPayload> {
  for (const secret of secrets) {
    try {
      const options = { algorithms: ['HS256'], requiredClaims: ['exp'], currentDate: new Date(now) };
      return (await jwtVerify(jwt, Buffer.from(secret), options)).payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      if (!(error instanceof errors.JWTExpired))
        throw refuse(error instanceof Error ? error.message : 'invalid', error);
      const age = Math.round(now / 1000 - Number(error.payload.exp));
      throw refuse(`expired ${age} s ago; do both servers' clocks agree?`, error);
    }
  }
  throw refuse('signed with another secret');
}

/** What an issuer may say of an upload in a Bearer token beside what it allows. */
export interface BearerOptions {
  /** When it is made, ms since the epoch. */
  readonly now: number;
  /** The uploader's bare JID. */
  readonly uploader?: string | undefined;
  /** When the file should go, ms since the epoch. */
  readonly expiresAt?: number | undefined;
}

/**
 * The Authorization header by which an issuer with this secret allows the upload, for 300 s from `now`.
 * Throws `KEY_INVALID` where the key is not slot/filename.
 */
export async function signBearer(
  secret: string,
  { key, size, contentType }: Slot,
  { now, uploader, expiresAt }: BearerOptions,
): Promise<string> {
  const [slot, filename, ...more] = key.split('/');
  if (filename === undefined || more.length > 0) {
    throw new FilerError('KEY_INVALID', `a Bearer token is for a path of the form slot/filename, not for ${key}`);
  }
  const iat = Math.floor(now / 1000);
  const claims = {
    filesize: size,
    exp: iat + validSeconds,
    filetype: contentType,
    iat,
    ...(uploader === undefined ? {} : { sub: uploader }),
    slot,
    expires: expiresAt === undefined ? undefined : Math.floor(expiresAt / 1000),
    filename,
  };
  const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(Buffer.from(secret));
  return `Bearer ${jwt}`;
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
  const claims = await verifiedClaims(jwt, settings.secrets, now);
  const { slot, filename, filesize, filetype, expires, sub } = claims;
  if (upload.key.split('/').length !== 2) throw refuse('the path is not slot/filename');
  if (`${slot}/${filename}` !== upload.key) throw refuse('made for another slot or file name');
  if (expires !== undefined && typeof expires !== 'number') throw refuse('its claim "expires" is no number');
  if (expires !== undefined && expires * 1000 <= now) throw refuse('the file that it is for has expired');
  if (filesize !== upload.size) {
    throw new FilerError('SIZE_REFUSED', `the slot is for ${filesize} bytes, the PUT announces ${upload.size}`);
  }
  return {
    contentType: typeof filetype === 'string' ? filetype : unknownType,
    expiresAt: expires === undefined ? undefined : expires * 1000,
    uploader: sub,
  };
}
