/*
 * The token of slots that prosody-filer issues itself: PUT <path>?slot=<JWT>. It differs from Prosody's Bearer token
 * (bearer.ts) as follows:
 *
 *   The claim path holds the whole path, of any depth, in place of slot and filename.
 *   It is in the query, since clients drop the headers of a slot (profanity#1499, yaxim#274, converse.js#2728).
 *   It has its own typ.
 *   sub is the uploader's id, like the first segment of the path, and not a JID: proxies log URLs, and claims are readable.
 *   quota names the uploader's table [[quota]], if there is one.
 *   purpose is there only if the client asked for another one than a message.
 *   expires is there only if the client asked for an expiry. The retention settings are left out of it, so that a change of
 *   them also applies to stored uploads.
 */
import { isPurpose } from '../upload/purpose.js';
import { explainPath } from './explain-path.js';
import { grantOf, type JwtKind, type JwtOptions, refuseJwt, signJwt, verifyJwt } from './jwt.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

const kind: JwtKind = { typ: 'upload-slot+jwt', name: 'slot' };

/** The parameter of the query that holds the token. */
export const slotParameter = 'slot';

/** Further facts that a slot token can hold. */
export interface SlotTokenOptions extends JwtOptions, Pick<Grant, 'quota' | 'purpose'> {}

/** Signs a token that allows the upload for 300 s from `now`. It can stand in a URL as it is. */
export function signSlotToken(
  secret: string,
  slot: Slot,
  { quota, purpose, ...options }: SlotTokenOptions,
): Promise<string> {
  return signJwt(kind, secret, slot, options, { path: slot.key, quota, purpose });
}

/**
 * Verifies a slot token for the announced upload at `now` (ms since the epoch).
 * Throws `TOKEN_REFUSED`, or `SIZE_REFUSED` if only the size differs.
 */
export async function verifySlotToken(
  jwt: string,
  upload: AnnouncedUpload,
  { secrets }: TokenSettings,
  baseSegments: readonly string[],
  now: number,
): Promise<Grant> {
  const claims = await verifyJwt(kind, jwt, secrets, now);
  if (claims['path'] !== upload.key) {
    const mistake = explainPath(upload.key, baseSegments, (key) => key === claims['path']);
    throw refuseJwt(kind, mistake ?? 'it was made for another path');
  }
  const { quota, purpose } = claims;
  return {
    ...grantOf(kind, claims, upload, now),
    quota: typeof quota === 'string' ? quota : undefined,
    purpose: isPurpose(purpose) ? purpose : undefined,
  };
}
