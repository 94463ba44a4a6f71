import { inspect } from 'node:util';
import { Ajv, type ErrorObject } from 'ajv';
import { closest, distance } from 'fastest-levenshtein';
import { formats, type Settings, secretKeys, settingsSchema } from './settings.js';

const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, formats });
const validate = ajv.compile(settingsSchema);
const knownKeys: string[] = Object.keys(settingsSchema.properties);

function canonicalKey(key: string): string {
  return knownKeys.find((known) => known.toLowerCase() === key.toLowerCase()) ?? key;
}

function describeFound(key: string, value: unknown): string {
  if (!secretKeys.has(key)) return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return value === '' || (Array.isArray(value) && value.length === 0) ? 'nothing in it' : `one of type ${typeof value}`;
}

function describeMissing(key: keyof Settings): Problem {
  return { key, text: `${key}: expected ${settingsSchema.properties[key].description}, got nothing` };
}

function describeUnknown(key: string): Problem {
  const nearest = closest(
    key.toLowerCase(),
    knownKeys.map((known) => known.toLowerCase()),
  );
  const hint = distance(key.toLowerCase(), nearest) <= key.length / 3 ? `; did you mean ${canonicalKey(nearest)}?` : '';
  return { key, text: `${key}: expected a known key${hint}` };
}

function describeProblem({ keyword, params, instancePath, parentSchema, data }: ErrorObject): Problem {
  const [key = '', item, part] = instancePath.slice(1).split('/');
  if (key === '' && keyword === 'additionalProperties') return describeUnknown(String(params['additionalProperty']));
  if (key === '' && keyword === 'required') return describeMissing(String(params['missingProperty']) as keyof Settings);
  const place = [key, item === undefined ? '' : `[${item}]`, part === undefined ? '' : `.${part}`].join('');
  return { key, text: `${place}: expected ${parentSchema?.['description']}, got ${describeFound(key, data)}` };
}

/** One thing that is wrong: the key it concerns, and a line that begins with where it stands. */
export interface Problem {
  readonly key: string;
  readonly text: string;
}

/** The file's values under their proper keys (any letter case is taken) and with defaults, and what is wrong with them. */
export function checkSettings(file: Record<string, unknown>): { settings: Settings; problems: Problem[] } {
  const settings: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [given, value] of Object.entries(file)) {
    const key = canonicalKey(given);
    if (Object.hasOwn(settings, key))
      problems.push({ key, text: `${given}: expected each key once, got it in two letter cases` });
    settings[key] = key === 'logLevel' && typeof value === 'string' ? value.toLowerCase() : value;
  }
  if (!validate(settings)) problems.push(...(validate.errors ?? []).map(describeProblem));
  if (!['secret', 'secrets', 'secretFile'].some((key) => Object.hasOwn(settings, key)))
    problems.push(describeMissing('secret'));
  return { settings: settings as unknown as Settings, problems };
}
