import type { Count } from '../progress.js';

/** What to change and, where it is known, what usually causes the problem. */
export interface Advice {
  readonly cause?: string;
  readonly change: string;
  /** Text that `change` asks for, ready to be pasted. */
  readonly paste?: string;
}

/** The usual cause of a problem and what to change, as tables of advice hold them. */
export type CauseAndChange = readonly [cause: string, change: string];

/** What is wrong, and what to do about it. */
export interface Problem extends Advice {
  readonly found: string;
}

/** What a check found and what to change. A failure is the error message of a start, which may say itself what to change. */
type Result =
  | ({ readonly outcome: 'ok' | 'skipped' | 'warning' | 'failure' } & Partial<Advice> & Pick<Problem, 'found'>)
  | ({ readonly outcome: 'problem' } & Problem);

/** A check by its name, a word or two, and what it found. */
export type Finding = { readonly check: string } & Result;

/** What a check returns. A text alone is ok, an object without an outcome is a problem. */
export type Verdict = string | { readonly skipped: string } | Problem | Result;

/** The finding of the check with this name. */
function toFinding(check: string, verdict: Verdict): Finding {
  if (typeof verdict === 'string') return { check, outcome: 'ok', found: verdict };
  if ('skipped' in verdict) return { check, outcome: 'skipped', found: verdict.skipped };
  return 'outcome' in verdict ? { check, ...verdict } : { check, outcome: 'problem', ...verdict };
}

/** What an examination tells while it runs. */
export interface Report {
  /** Does the work of the check of this name, and shows that it runs and what it counts. */
  during<T>(check: string, work: (count: Count) => Promise<T>): Promise<T>;
  /** Takes each finding as soon as it is made. */
  add(finding: Finding): void;
}

type Verdicts = Verdict | readonly Verdict[];

/** Runs the check of this name and reports what it found, one finding for each verdict; resolves to whether no problem was among them. */
export async function runCheck(
  report: Report,
  name: string,
  check: (count: Count) => Verdicts | Promise<Verdicts>,
): Promise<boolean> {
  const verdicts = [await report.during(name, async (count) => check(count))].flat();
  const findings = verdicts.map((verdict) => toFinding(name, verdict));
  findings.forEach(report.add);
  return findings.every(({ outcome }) => outcome !== 'problem' && outcome !== 'failure');
}
