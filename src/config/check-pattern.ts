import { compilePattern, PatternError } from '../upload/name-pattern.js';
import { SettingProblem } from './config-error.js';

/** What is wrong with a pattern at this place of the file; empty if it is right. */
export function patternProblems(place: string, pattern: string | undefined): string[] {
  if (pattern === undefined) return [];
  try {
    compilePattern(pattern);
    return [];
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return [`${place}: expected ${error.message} in a pattern, got '${pattern}'`];
  }
}

/** Throws a SettingProblem if any of these is not a pattern. */
export function requirePatterns(place: string, patterns: readonly string[]): void {
  const problems = patterns.flatMap((pattern, index) => patternProblems(`${place}[${index}]`, pattern));
  if (problems.length > 0) throw new SettingProblem(...problems);
}
