import { inspect } from 'node:util';
import { closest, distance } from 'fastest-levenshtein';
import { parseDuration, parseSize, unlimited } from '../units.js';
import { successorOf } from './former-keys.js';
import type { Schema, Unit } from './schema.js';
import { parseMode } from './setting-types.js';
import { type Settings, settingsSchema } from './settings.js';

/** A line that begins with a place in the file, and the key at the top level whose value cannot be used because of it. */
export interface Problem {
  readonly key: string | undefined;
  readonly text: string;
}

const parsers: Readonly<Record<Unit, (text: string) => number>> = {
  bytes: (text) => (text === 'none' ? unlimited : parseSize(text)),
  ms: (text) => (text === 'never' ? unlimited : parseDuration(text)),
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

function describeUnknown(key: string, known: readonly string[]): string {
  const successor = successorOf(key);
  if (successor !== undefined) return `expected a known key. Set ${successor}`;
  const given = key.toLowerCase();
  const lowerCase = closest(
    given,
    known.map((name) => name.toLowerCase()),
  );
  const nearest = known.find((name) => name.toLowerCase() === lowerCase);
  const hint = distance(given, lowerCase) <= key.length / 3 ? `. Did you mean ${nearest}?` : '';
  return `expected a known key${hint}`;
}

function describeFound(value: unknown, isSecret: boolean): string {
  if (!isSecret) return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (value === '') return 'an empty text';
  return typeof value === 'object' ? 'a table' : `a ${typeof value}`;
}

/** True for a value of the entry's type and in its range. What is in a table or a list is not looked at. */
function isValid(entry: Schema, value: unknown): boolean {
  const {
    type,
    enum: choices,
    pattern = '',
    format,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
    minItems = 0,
  } = entry;
  if (Array.isArray(value)) return type === 'array' && value.length >= minItems;
  if (typeof value === 'number') {
    return type === 'integer' && Number.isInteger(value) && value >= minimum && value <= maximum;
  }
  if (typeof value !== 'string') return type === (typeof value as unknown);
  if (type !== 'string' || choices?.includes(value) === false) return false;
  return new RegExp(pattern, 'u').test(value) && format?.(value) !== false;
}

/** The values of a table by the keys of the schema, which the file may write in any letter case. */
function byKnownKey(known: readonly string[], table: object, place: string, problems: Problem[]): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(table)) {
    const name = known.find((each) => each.toLowerCase() === key.toLowerCase());
    if (name === undefined) {
      problems.push(problemAt(placeBelow(place, key), describeUnknown(key, known)));
      continue;
    }
    if (values.has(name)) {
      problems.push(problemAt(placeBelow(place, name), `expected each key once, but it also stands there as ${key}`));
    }
    values.set(name, value);
  }
  return values;
}

/** The values of a table with their defaults. A key that is not set is `undefined`, and one of a duration ends in `Ms`. */
function readTable(schema: Schema, table: object, place: string, problems: Problem[]): Record<string, unknown> {
  const { properties = {}, atLeastOneOf, expected, isSecret = false } = schema;
  const values = byKnownKey(Object.keys(properties), table, place, problems);
  if (atLeastOneOf?.some((key) => values.has(key)) === false) {
    problems.push(problemAt(place, `expected ${expected}, got ${describeFound(table, isSecret)}`));
  }
  const read = Object.entries(properties).map(([key, entry]) => {
    const value = values.get(key) ?? entry.default;
    const placeOfKey = placeBelow(place, key);
    if (value === undefined && entry.unset === undefined) {
      problems.push(problemAt(placeOfKey, `expected ${entry.expected}, but it is not set`));
    }
    const name = entry.unit === 'ms' ? `${key}Ms` : key;
    return [name, value === undefined ? undefined : readValue(entry, value, placeOfKey, problems)];
  });
  return Object.fromEntries(read);
}

/** The value in bytes, milliseconds and bits, or as it is if it is not valid. Adds what is wrong with it to `problems`. */
function readValue(schema: Schema, given: unknown, place: string, problems: Problem[]): unknown {
  const { unit, items, properties, expected, isSecret = false, isAnyCase = false } = schema;
  const value = isAnyCase && typeof given === 'string' ? given.toLowerCase().normalize() : given;
  if (!isValid(schema, value)) {
    problems.push(problemAt(place, `expected ${expected}, got ${describeFound(value, isSecret)}`));
    return value;
  }
  if (properties !== undefined) return readTable(schema, Object(value), place, problems);
  if (items !== undefined && Array.isArray(value)) {
    return value.map((item, index) => readValue(items, item, `${place}[${index}]`, problems));
  }
  return unit !== undefined ? parsers[unit](String(value)) : value;
}

/** The keys that are set for a folder although the uploads are in a bucket. Their values can be used all the same. */
function folderProblems({ properties = {} }: Schema, settings: Settings): Problem[] {
  if (settings.s3 === undefined) return [];
  const values: Readonly<Record<string, unknown>> = settings;
  return Object.entries(properties)
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
  const settings = readTable(settingsSchema, file, '', problems) as Settings;
  problems.push(...folderProblems(settingsSchema, settings));
  return { settings, problems };
}
