/*
 * What the two tokens have in common that are a JWT (bearer.ts, slot-token.ts): RFC 7515 HS256, and the claims filesize
 * (bytes), filetype, sub (the uploader), iat, exp and expires (s since the epoch). The header's typ says which of the two
 * it is, so that neither passes for the other (RFC 8725 §3.11); which upload it is for stands in claims of its own.
 */
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { FilerError } from '../errors.js';
import { unknownType } from '../upload/content-type.js';
import type { AnnouncedUpload, Grant, Slot } from './token.js';

/** How long Prosody 0.12's tokens are valid. */
const validSeconds = 300;

/** What an issuer may say of an upload in a JWT beside what it allows. */
export interface JwtOptions {
  /** When it is made, ms since the epoch. */
  readonly now: number;
  /** The uploader's bare JID or id. */
  readonly uploader?: string | undefined;
  /** When the file should go, ms since the epoch. */
  readonly expiresAt?: number | undefined;
}

/** One kind of JWT: its `typ`, and what refusals call it. */
export interface JwtKind {
  readonly typ: string;
  readonly name: string;
}

/** A refusal of a token of this kind, for the log. */
export function refuseJwt({ name }: JwtKind, reason: string, cause?: unknown): FilerError {
  return new FilerError('TOKEN_REFUSED', `${name} token: ${reason}`, { cause });
}

/** A JWT that allows an upload for 300 s from `now`, which the kind's own claims name. */
export function signJwt(
  { typ }: JwtKind,
  secret: string,
  { size, contentType }: Omit<Slot, 'key'>,
  { now, uploader, expiresAt }: JwtOptions,
  ownClaims: Readonly<Record<string, string>>,
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
 * The claims of a JWT of this kind that one of the secrets signed and that is valid at `now` (ms since the epoch).
 * Throws `TOKEN_REFUSED`.
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
      throw refuseJwt(kind, `expired ${age} s ago; do both servers' clocks agree?`, error);
    }
  }
  throw refuseJwt(kind, 'signed with another secret');
}

/**
 * What verified claims allow for an upload that they are known to name. Throws `TOKEN_REFUSED` where the file has
 * expired already, and `SIZE_REFUSED` for another size.
 */
export function grantOf(kind: JwtKind, claims: JWTPayload, { size }: AnnouncedUpload, now: number): Grant {
  const { filesize, filetype, expires, sub } = claims;
  if (expires !== undefined && typeof expires !== 'number') throw refuseJwt(kind, 'its claim "expires" is no number');
  if (expires !== undefined && expires * 1000 <= now) throw refuseJwt(kind, 'the file that it is for has expired');
  if (filesize !== size) {
    throw new FilerError('SIZE_REFUSED', `the slot is for ${filesize} bytes, the PUT announces ${size}`);
  }
  return {
    contentType: typeof filetype === 'string' ? filetype : unknownType,
    expiresAt: expires === undefined ? undefined : expires * 1000,
    uploader: sub,
  };
}
