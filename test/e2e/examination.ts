import assert from 'node:assert/strict';
import { mainFile, run } from '../support/command.js';
import type { Program } from '../support/program.js';

/** What doctor or check-config says about one check. */
export interface Finding {
  readonly check: string;
  readonly outcome: 'ok' | 'skipped' | 'warning' | 'problem' | 'failure';
  readonly found: string;
  readonly cause?: string;
  readonly change?: string;
  readonly paste?: string;
}

/** The exit code of the doctor and what it found. */
export interface Examination {
  readonly code: number | null;
  readonly findings: readonly Finding[];
}

/** Runs the doctor with this configuration file for a URL; `env`: arguments of env(1) before the command. */
export async function examine(
  { configFile }: Pick<Program, 'configFile'>,
  url: string,
  env: readonly string[] = [],
): Promise<Examination> {
  const command = [process.execPath, mainFile, 'doctor', '--json', '--config', configFile, url];
  const { code, stdout, stderr } = await run('env', [...env, ...command]);
  assert.equal(stderr, '');
  return { code, findings: JSON.parse(stdout).findings };
}

/** The problems by their checks: what was found, the cause and what to change, in one text. */
export function problemsOf({ findings }: Examination): Record<string, string> {
  const problems = findings.filter(({ outcome }) => outcome === 'problem');
  return Object.fromEntries(
    problems.map(({ check, found, cause, change }) => [check, [found, cause, change].join(' | ')]),
  );
}

/** Asserts that exactly these checks found problems, each with a matching text. */
export function assertProblems(examination: Examination, expected: Record<string, RegExp>): void {
  const problems = problemsOf(examination);
  assert.deepEqual(Object.keys(problems).sort(), Object.keys(expected).sort(), JSON.stringify(problems, undefined, 2));
  for (const [check, pattern] of Object.entries(expected)) assert.match(problems[check] ?? '', pattern);
  assert.equal(examination.code, Object.keys(expected).length === 0 ? 0 : 1);
}
