import { compilePattern, PatternError } from '../upload/name-pattern.js';
import { SettingProblem } from './setting-problem.js';
import type { RetentionSetting } from './settings.js';

/** What is wrong with a pattern that stands at this place of the file, `undefined` where nothing is. */
function problemOf(place: string, pattern: string): string | undefined {
  try {
    compilePattern(pattern);
    return undefined;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return `${place}: expected ${error.message} in a pattern, got '${pattern}'`;
  }
}

/** What is wrong with the patterns of retention rules. */
export function patternProblems(rules: readonly RetentionSetting[]): string[] {
  return rules
    .flatMap(({ match, contentType }, index) => [
      match === undefined ? undefined : problemOf(`retention[${index}].match`, match),
      match?.includes('/') === true
        ? `retention[${index}].match: expected no "/" in a pattern for file names, got '${match}'`
        : undefined,
      contentType === undefined ? undefined : problemOf(`retention[${index}].contentType`, contentType),
    ])
    .filter((problem) => problem !== undefined);
}

/** Throws a SettingProblem unless all are patterns for content types. */
export function requirePatterns(place: string, patterns: readonly string[]): void {
  const problems = patterns.map((pattern, index) => problemOf(`${place}[${index}]`, pattern));
  const first = problems.find((problem) => problem !== undefined);
  if (first !== undefined) throw new SettingProblem(first);
}
