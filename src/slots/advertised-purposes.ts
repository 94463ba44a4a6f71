import type { RetentionRule } from '../retention/expiry.js';
import { type Purpose, purposes } from '../upload/purpose.js';

/** Those that need no rule: an ephemeral upload may come with an expiry, and every upload without a purpose is a message. */
const always: readonly Purpose[] = ['message', 'ephemeral'];

/**
 * The purposes to advertise (XEP-0363 1.2.0): those for which the rules make a difference. A rule for messages makes one for
 * every other purpose. Slots that lead to a bucket have no purpose.
 */
export function advertisedPurposes(upload: 'filer' | 'direct', rules: readonly Pick<RetentionRule, 'purpose'>[]) {
  if (upload === 'direct') return [];
  const named = new Set(rules.map(({ purpose }) => purpose));
  return purposes.filter((purpose) => always.includes(purpose) || named.has(purpose) || named.has('message'));
}
