/*
 * The token of the slots that we hand out ourselves: PUT <path>?slot=<JWT>. Against Prosody's Bearer token (bearer.ts):
 * it names the whole path, of any depth, in the claim path, in place of slot and filename; it stands in the query, since
 * clients drop a slot's headers (profanity#1499, yaxim#274, converse.js#2728); its typ is its own; and sub is no JID but,
 * like the path's first segment, the uploader's id, since proxies log URLs and whoever has a JWT can read its claims. expires
 * stands there only where the client itself asked for the file to go; the retention settings are no part of it, since they are
 * to apply to what is stored already when they change.
 */
import { explainPath } from './explain-path.js';
import { grantOf, type JwtKind, type JwtOptions, refuseJwt, signJwt, verifyJwt } from './jwt.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

const kind: JwtKind = { typ: 'upload-slot+jwt', name: 'slot' };

/** The parameter of the PUT's query in which the token stands. */
export const slotParameter = 'slot';

/** The token by which we allow an upload, for 300 s from `now`; safe in a URL as it is. */
export function signSlotToken(secret: string, slot: Slot, options: JwtOptions): Promise<string> {
  return signJwt(kind, secret, slot, options, { path: slot.key });
}

/**
 * What our own token allows for the announced upload at `now` (ms since the epoch).
 * Throws `TOKEN_REFUSED`, or `SIZE_REFUSED` where only the size differs.
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
    throw refuseJwt(kind, mistake ?? 'made for another path');
  }
  return grantOf(kind, claims, upload, now);
}
