import type { Config } from '../../config/config.js';
import type { Verdict } from '../finding.js';

interface Settings {
  readonly retention: Pick<Config['retention'], 'rules'>;
  readonly component?: object | undefined;
}

/** Warns of rules for purposes that no upload gets without [component]. */
export function checkPurposes({ retention, component }: Settings): Verdict[] {
  const named = retention.rules.flatMap(({ purpose = 'message' }) => (purpose === 'message' ? [] : `"${purpose}"`));
  if (component !== undefined || named.length === 0) return [];
  return [
    {
      outcome: 'warning',
      found: `[[retention]] has a rule for purpose = ${named[0]}, but only slots of [component] have a purpose.`,
      change: 'Add a table [component], or let the rule go by match.',
    },
  ];
}
