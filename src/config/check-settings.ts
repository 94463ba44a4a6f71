import { inspect } from 'node:util';
import { Ajv, type ErrorObject } from 'ajv';
import { closest, distance } from 'fastest-levenshtein';
import { parseDuration, parseSize } from '../units.js';
import type { Facts, Unit } from './schema.js';
import { formats, parseMode } from './setting-types.js';
import { type Settings, settingsSchema } from './settings.js';

/** A schema, or a part of one, as it is walked through. */
interface Schema extends Facts {
  readonly unit?: Unit;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** A line that begins with a place in the file, and the key at the top level whose value cannot be used because of it. */
export interface Problem {
  readonly key: string | undefined;
  readonly text: string;
}

const schema: Schema = settingsSchema;
const keywords = ['unit', 'unset', 'example', 'expected', 'isSecret', 'isForFolder'];
const validate = new Ajv({ allErrors: true, verbose: true, useDefaults: true, formats, keywords }).compile(
  settingsSchema,
);
const parsers: Readonly<Record<Unit, (text: string) => number>> = {
  bytes: parseSize,
  ms: parseDuration,
  mode: parseMode,
};

/** A problem at a place such as `s3.bucket` or `retention[0].match`. */
function problemAt(place: string, text: string): Problem {
  const [key = ''] = place.split(/[.[]/, 1);
  return { key, text: `${place}: ${text}` };
}

function placeBelow(place: string, key: string): string {
  return place === '' ? key : `${place}.${key}`;
}

function describeUnknown(place: string, key: string, known: readonly string[]): Problem {
  const given = key.toLowerCase();
  const lowerCase = closest(
    given,
    known.map((name) => name.toLowerCase()),
  );
  const nearest = known.find((name) => name.toLowerCase() === lowerCase);
  const hint = distance(given, lowerCase) <= key.length / 3 ? `. Did you mean ${nearest}?` : '';
  return problemAt(placeBelow(place, key), `expected a known key${hint}`);
}

function describeFound(value: unknown, isSecret: boolean): string {
  if (!isSecret) return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (value === '') return 'an empty text';
  return typeof value === 'object' ? 'a table' : `a ${typeof value}`;
}

function describeProblem({ keyword, params, instancePath, parentSchema = {}, data }: ErrorObject): Problem | undefined {
  const place = instancePath
    .slice(1)
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  const { expected, isSecret, properties = {} } = parentSchema as Schema;
  if (keyword === 'additionalProperties') {
    return describeUnknown(place, String(params['additionalProperty']), Object.keys(properties));
  }
  const missing = properties[String(params['missingProperty'])];
  if (missing !== undefined) {
    return problemAt(placeBelow(place, params['missingProperty']), `expected ${missing.expected}, but it is not set`);
  }
  // A branch of anyOf has no words of its own: anyOf itself says what is expected.
  if (expected === undefined) return undefined;
  return problemAt(place, `expected ${expected}, got ${describeFound(data, isSecret === true)}`);
}

/** The value with the keys of its tables in the letter case of the schema; adds each key that stands twice to `problems`. */
function withKnownCase({ items, properties }: Schema, value: unknown, place: string, problems: Problem[]): unknown {
  if (Array.isArray(value) && items !== undefined) {
    return value.map((item, index) => withKnownCase(items, item, `${place}[${index}]`, problems));
  }
  if (properties === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const values: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value)) {
    const known = Object.keys(properties).find((name) => name.toLowerCase() === key.toLowerCase()) ?? key;
    if (Object.hasOwn(values, known)) {
      problems.push(problemAt(placeBelow(place, known), `expected each key once, but it also stands there as ${key}`));
    }
    values[known] = withKnownCase(properties[known] ?? {}, given, placeBelow(place, known), problems);
  }
  return values;
}

/** The value in bytes, milliseconds and bits; a key that is not set is `undefined`, and one of a duration ends in `Ms`. */
function inUnits({ unit, items, properties }: Schema, value: unknown): unknown {
  if (typeof value === 'string' && unit !== undefined) return parsers[unit](value);
  if (Array.isArray(value) && items !== undefined) return value.map((item) => inUnits(items, item));
  if (properties === undefined || typeof value !== 'object' || value === null) return value;
  const values: Readonly<Record<string, unknown>> = { ...value };
  return Object.fromEntries(
    Object.entries(properties).map(([key, entry]) => [
      entry.unit === 'ms' ? `${key}Ms` : key,
      inUnits(entry, values[key]),
    ]),
  );
}

/** The keys that are set for a folder although the uploads are in a bucket. Their values can be used all the same. */
function folderProblems(values: Readonly<Record<string, unknown>>): Problem[] {
  if (values['s3'] === undefined) return [];
  return Object.entries(schema.properties ?? {})
    .filter(([key, { isForFolder }]) => isForFolder === true && values[key] !== undefined)
    .map(([key]) => ({
      key: undefined,
      text: `${key}: expected it only without a table [s3], because it has no meaning for a bucket`,
    }));
}

/**
 * The settings of a file with their defaults, in bytes and milliseconds, and what is wrong with them. A setting that a
 * problem names may have any type.
 */
export function checkSettings(file: Readonly<Record<string, unknown>>): { settings: Settings; problems: Problem[] } {
  const problems: Problem[] = [];
  const values = withKnownCase(schema, file, '', problems) as Record<string, unknown>;
  const { logLevel } = values;
  if (typeof logLevel === 'string') values['logLevel'] = logLevel.toLowerCase();
  if (!validate(values)) {
    problems.push(...(validate.errors ?? []).map(describeProblem).filter((problem) => problem !== undefined));
  }
  problems.push(...folderProblems(values));
  return { settings: inUnits(schema, values) as Settings, problems };
}
