/** What usually causes a problem, and what to change. */
export interface Advice {
  readonly cause: string;
  readonly change: string;
}

/** What is wrong, and what to do about it. */
export interface Problem extends Advice {
  readonly found: string;
}

/** What a check came to: what is right in a few words, a problem, or why nothing was checked. */
export type Verdict = string | Problem | { readonly skipped: string };

/** A check and what it came to. */
export type Finding = { readonly check: string } & (
  | { readonly outcome: 'ok' | 'skipped'; readonly found: string }
  | ({ readonly outcome: 'problem' } & Problem)
);

/** The finding of the check with this name. */
export function toFinding(check: string, verdict: Verdict): Finding {
  if (typeof verdict === 'string') return { check, outcome: 'ok', found: verdict };
  if ('skipped' in verdict) return { check, outcome: 'skipped', found: verdict.skipped };
  return { check, outcome: 'problem', ...verdict };
}

/** The usual cause of a problem and what to change, as tables of advice hold them. */
export type CauseAndChange = readonly [cause: string, change: string];
