import { inspect } from 'node:util';
import { Ajv, type ErrorObject } from 'ajv';
import { closest, distance } from 'fastest-levenshtein';
import { componentSchema } from './component-settings.js';
import { s3Schema } from './s3-settings.js';
import { formats } from './setting-types.js';
import { type Settings, secretKeys, settingsSchema } from './settings.js';

type Properties = Readonly<Record<string, { readonly description?: string }>>;

const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, formats });
const validate = ajv.compile(settingsSchema);
const tables: Readonly<Record<string, Properties>> = {
  '': settingsSchema.properties,
  s3: s3Schema.properties,
  component: componentSchema.properties,
};

/** One thing that is wrong: the key at the top level that it concerns, and a line that begins with where it stands. */
export interface Problem {
  readonly key: string;
  readonly text: string;
}

function toProblem(table: string, key: string, expected: string): Problem {
  return table === '' ? { key, text: `${key}: ${expected}` } : { key: table, text: `${table}.${key}: ${expected}` };
}

function canonicalKey(table: string, key: string): string {
  const known = Object.keys(tables[table] ?? {});
  return known.find((candidate) => candidate.toLowerCase() === key.toLowerCase()) ?? key;
}

function describeFound(key: string, value: unknown): string {
  if (!secretKeys.has(key)) return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return value === '' || (Array.isArray(value) && value.length === 0) ? 'nothing in it' : `one of type ${typeof value}`;
}

function describeMissing(table: string, key: string): Problem {
  return toProblem(table, key, `expected ${tables[table]?.[key]?.description}, got nothing`);
}

function describeUnknown(table: string, key: string): Problem {
  const nearest = closest(
    key.toLowerCase(),
    Object.keys(tables[table] ?? {}).map((known) => known.toLowerCase()),
  );
  const isNear = distance(key.toLowerCase(), nearest) <= key.length / 3;
  const hint = isNear ? `; did you mean ${canonicalKey(table, nearest)}?` : '';
  return toProblem(table, key, `expected a known key${hint}`);
}

function describeProblem({ keyword, params, instancePath, parentSchema, data }: ErrorObject): Problem {
  const [key = '', ...rest] = instancePath.slice(1).split('/');
  if (rest.length === 0 && tables[key] !== undefined) {
    if (keyword === 'additionalProperties') return describeUnknown(key, String(params['additionalProperty']));
    if (keyword === 'required') return describeMissing(key, String(params['missingProperty']));
  }
  const isIndex = (part: string) => /^\d+$/.test(part);
  const place = [key, ...rest.map((part) => (isIndex(part) ? `[${part}]` : `.${part}`))].join('');
  const name = [key, ...rest.filter((part) => !isIndex(part))].join('.');
  return { key, text: `${place}: expected ${parentSchema?.['description']}, got ${describeFound(name, data)}` };
}

/** The table's values under their proper keys, and which keys it has twice. */
function withCanonicalKeys(table: string, given: object): { values: Record<string, unknown>; problems: Problem[] } {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [key, value] of Object.entries(given)) {
    const canonical = canonicalKey(table, key);
    if (Object.hasOwn(values, canonical)) {
      problems.push({ ...toProblem(table, key, 'expected each key once, got it in two letter cases'), key: canonical });
    }
    values[canonical] = value;
  }
  return { values, problems };
}

/** The file's values under their proper keys (any letter case is taken) and with defaults, and what is wrong with them. */
export function checkSettings(file: Record<string, unknown>): { settings: Settings; problems: Problem[] } {
  const { values: settings, problems } = withCanonicalKeys('', file);
  for (const table of ['s3', 'component']) {
    const value = settings[table];
    if (typeof value !== 'object' || value === null) continue;
    const inTable = withCanonicalKeys(table, value);
    settings[table] = inTable.values;
    problems.push(...inTable.problems);
  }
  const { logLevel } = settings;
  if (typeof logLevel === 'string') settings['logLevel'] = logLevel.toLowerCase();
  if (!validate(settings)) problems.push(...(validate.errors ?? []).map(describeProblem));
  if (!['secret', 'secrets', 'secretFile'].some((key) => Object.hasOwn(settings, key)))
    problems.push(describeMissing('', 'secret'));
  if (settings['storeDir'] === undefined && settings['s3'] === undefined)
    problems.push(describeMissing('', 'storeDir'));
  return { settings: settings as unknown as Settings, problems };
}
