import { signBearer } from './bearer.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import { type SlotTokenOptions, signSlotToken, slotParameter } from './slot-token.js';
import type { Slot } from './token.js';

/** A kind of token that allows an upload. */
export type TokenScheme = QueryScheme['name'] | 'bearer' | 'slot';

/** Every scheme that can be signed. */
export const tokenSchemes: readonly TokenScheme[] = [...querySchemes.map(({ name }) => name), 'bearer', 'slot'];

/** What a PUT has to carry: a query without its `?`, or headers. */
export interface SignedPut {
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs a PUT as an issuer with this secret does. Only Bearer and slot tokens contain a time, an uploader and an expiry.
 * Throws `KEY_INVALID` if the scheme does not support the key.
 */
export async function signPut(
  scheme: TokenScheme,
  secret: string,
  slot: Slot,
  { now = Date.now(), ...more }: Partial<SlotTokenOptions> = {},
): Promise<SignedPut> {
  const queryScheme = querySchemes.find(({ name }) => name === scheme);
  if (queryScheme !== undefined) {
    return { query: `${queryScheme.parameter}=${queryScheme.sign(secret, slot)}`, headers: {} };
  }
  if (scheme === 'slot') {
    return { query: `${slotParameter}=${await signSlotToken(secret, slot, { now, ...more })}`, headers: {} };
  }
  return { query: '', headers: { Authorization: await signBearer(secret, slot, { now, ...more }) } };
}
