import assert from 'node:assert/strict';
import { type CommandResult, mainFile, run } from '../support/command.js';
import type { Program } from '../support/program.js';
import { runHere } from '../support/run-here.js';

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

function toExamination({ code, stdout, stderr }: CommandResult): Examination {
  assert.equal(stderr, '');
  return { code, findings: JSON.parse(stdout).findings };
}

function doctorArguments({ configFile }: Pick<Program, 'configFile'>, url: string): string[] {
  return ['doctor', '--json', '--config', configFile, url];
}

/** Runs the doctor with this configuration file for a URL, in the process of the test. */
export async function examine(program: Pick<Program, 'configFile'>, url: string): Promise<Examination> {
  return toExamination(await runHere(...doctorArguments(program, url)));
}

/** Runs the doctor as a process of the built program; `env`: arguments of env(1) before the command. */
export async function examineByProcess(
  program: Pick<Program, 'configFile'>,
  url: string,
  env: readonly string[] = [],
): Promise<Examination> {
  return toExamination(await run('env', [...env, process.execPath, mainFile, ...doctorArguments(program, url)]));
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
