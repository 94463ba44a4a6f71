import type { Label, Output } from '../output.js';
import { withProgress } from '../progress.js';
import type { Finding, Report } from './finding.js';

type Outcome = Finding['outcome'];

/** How people see an outcome. */
const labels: Readonly<Record<Outcome, Label>> = {
  ok: { text: 'ok', colour: 32 },
  skipped: { text: 'skipped', colour: 36 },
  warning: { text: 'warning', colour: 33 },
  problem: { text: 'PROBLEM', colour: 31 },
  failure: { text: 'FAILURE', colour: 31 },
};
const labelWidth = 8;
const checkWidth = 17;

const exitCodes: Readonly<Record<Outcome, 0 | 1 | 2>> = { ok: 0, skipped: 0, warning: 0, problem: 1, failure: 2 };

function print({ check, outcome, found, cause, change, paste }: Finding, output: Output): void {
  const { text, colour } = labels[outcome];
  const lines = [`${check.padEnd(checkWidth)}${found}`];
  if (cause !== undefined) lines.push(`usual cause: ${cause}`);
  if (change !== undefined) lines.push(`change: ${change}`);
  if (paste !== undefined) lines.push(paste.replace(/^/gm, '  '));
  const indented = lines.join('\n').replaceAll('\n', `\n${' '.repeat(labelWidth)}`);
  output.print(indented, { text: text.padEnd(labelWidth), colour });
}

/**
 * Examines the subject (a URL or a file): shows which check runs, prints each finding when it is made, and a summary.
 * Or prints all findings as one JSON object, together with other fields. Resolves to the exit code: 2 after a failure,
 * 1 after problems, 0 otherwise.
 */
export async function printFindings(
  examine: (report: Report) => Promise<void>,
  output: Output,
  { json, subject, fields }: { json?: boolean | undefined; subject: string; fields?: Readonly<Record<string, string>> },
): Promise<number> {
  const findings: Finding[] = [];
  await examine({
    during: (check, work) => withProgress(json ? undefined : output.progressTerminal, `checking ${check}`, work),
    add: (finding) => {
      findings.push(finding);
      if (!json) print(finding, output);
    },
  });
  const exitCode = Math.max(...findings.map(({ outcome }) => exitCodes[outcome]));
  const problems = findings.filter(({ outcome }) => exitCodes[outcome] > 0).length;
  const consequence = exitCode === exitCodes.failure ? '. prosody-filer does not start like this.' : '';
  const summary = `${subject}: ${findings.length} checks, problems: ${problems}${consequence}`;
  output.print(json ? JSON.stringify({ ...fields, findings, problems, exitCode }) : summary);
  return exitCode;
}
