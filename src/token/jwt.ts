/*
 * What Bearer tokens (bearer.ts) and slot tokens (slot-token.ts) have in common: both are JWTs signed with HS256 (RFC 7515)
 * with the claims filesize (bytes), filetype, sub (the uploader), iat, exp and expires (s since the epoch). Each kind has
 * its own typ in the header, so that it cannot be used as the other (RFC 8725 §3.11), and its own claims that name the upload.
 */
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { FilerError } from '../errors.js';
import { unknownType } from '../upload/content-type.js';
import type { AnnouncedUpload, Grant, Slot } from './token.js';

/** As long as the tokens of Prosody 0.12 are valid. */
const validSeconds = 300;

/** Further facts that an issuer can put into a JWT. */
export interface JwtOptions {
  /** When the token is made, ms since the epoch. */
  readonly now: number;
  /** The uploader's bare JID or id. */
  readonly uploader?: string | undefined;
  /** When the file should expire, ms since the epoch. */
  readonly expiresAt?: number | undefined;
}

/** One kind of JWT: its `typ`, and its name in refusals. */
export interface JwtKind {
  readonly typ: string;
  readonly name: string;
}

/** The error for a refused token of this kind. */
export function refuseJwt({ name }: JwtKind, reason: string, cause?: unknown): FilerError {
  return new FilerError('TOKEN_REFUSED', `${name} token: ${reason}`, { cause });
}

/** Signs a JWT that is valid for 300 s from `now`. `ownClaims` name the upload. */
export function signJwt(
  { typ }: JwtKind,
  secret: string,
  { size, contentType }: Omit<Slot, 'key'>,
  { now, uploader, expiresAt }: JwtOptions,
  ownClaims: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const iat = Math.floor(now / 1000);
  const claims = {
    filesize: size,
    exp: iat + validSeconds,
    filetype: contentType,
    iat,
    ...(uploader === undefined ? {} : { sub: uploader }),
    expires: expiresAt === undefined ? undefined : Math.floor(expiresAt / 1000),
    ...ownClaims,
  };
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ }).sign(Buffer.from(secret));
}

/**
 * The claims of a JWT, which has to be of this kind, signed with one of the secrets, and valid at `now` (ms since the
 * epoch). Throws `TOKEN_REFUSED`.
 */
export async function verifyJwt(
  kind: JwtKind,
  jwt: string,
  secrets: readonly string[],
  now: number,
): Promise<JWTPayload> {
  const options = { algorithms: ['HS256'], typ: kind.typ, requiredClaims: ['exp'], currentDate: new Date(now) };
  for (const secret of secrets) {
    try {
      return (await jwtVerify(jwt, Buffer.from(secret), options)).payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      if (!(error instanceof errors.JWTExpired))
        throw refuseJwt(kind, error instanceof Error ? error.message : 'invalid', error);
      const age = Math.round(now / 1000 - Number(error.payload.exp));
      throw refuseJwt(kind, `it expired ${age} s ago; check that the clocks of both servers agree`, error);
    }
  }
  throw refuseJwt(kind, 'it was signed with another secret');
}

/**
 * What verified claims allow, once it is known that they name this upload. Throws `TOKEN_REFUSED` if the file would have
 * expired already, and `SIZE_REFUSED` if the size differs.
 */
export function grantOf(kind: JwtKind, claims: JWTPayload, { size }: AnnouncedUpload, now: number): Grant {
  const { filesize, filetype, expires, sub } = claims;
  if (expires !== undefined && typeof expires !== 'number')
    throw refuseJwt(kind, 'its claim "expires" is not a number');
  if (expires !== undefined && expires * 1000 <= now)
    throw refuseJwt(kind, 'the expiry of the file has passed already');
  if (filesize !== size) {
    const told = 'The file does not have the size that the slot was requested for.';
    throw new FilerError('SIZE_REFUSED', `the slot is for ${filesize} bytes, the PUT has ${size}`, { told });
  }
  return {
    contentType: typeof filetype === 'string' ? filetype : unknownType,
    expiresAt: expires === undefined ? undefined : expires * 1000,
    uploader: sub,
  };
}
