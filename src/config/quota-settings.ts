import { jidOrDomain } from './component-settings.js';
import { entriesOf, type TableOf, table } from './schema.js';
import { formats, integer, string } from './setting-types.js';

const limit = entriesOf(
  { type: 'string', unit: 'bytes' },
  { format: formats.sizeOrNone, isAnyCase: true, expected: 'a size such as "50MB", or "none"' },
);

/** A table `[[quota]]`. */
export const quotaTable = {
  ...table({
    match: string(
      'JID or domain of the uploaders. A domain stands for all of its JIDs, and for a gateway with this name. A table for a JID counts before one for its domain.',
      { ...jidOrDomain, example: 'slidge.example.org' },
    ),
    userQuota: limit('In place of `userQuota` at the top, for each of these uploaders. `"none"`: no limit.', {
      unset: 'as at the top',
      example: '50GB',
    }),
    dailyQuota: limit(
      'In place of `dailyQuota` at the top and of the one in `[component]`, for each of these uploaders. `"none"`: no limit.',
      { unset: 'as at the top and in `[component]`', example: 'none' },
    ),
    maxFileSize: limit('In place of `maxFileSize` at the top and in `[component]`. `"none"`: no limit.', {
      unset: 'as at the top and in `[component]`',
      example: '200MB',
    }),
    requestsPerMinute: integer('How many slots each of these uploaders may ask `[component]` for in a minute.', {
      unset: '60',
      example: 600,
      minimum: 1,
      expected: 'a number of requests, at least 1',
    }),
  }),
  atLeastOneOf: ['userQuota', 'dailyQuota', 'maxFileSize', 'requestsPerMinute'],
  expected: 'a table with match and at least one of userQuota, dailyQuota, maxFileSize and requestsPerMinute',
} as const;

/** What is wrong with the tables, beyond the keys of each. */
export function quotaProblems(tables: readonly TableOf<typeof quotaTable.properties>[]): string[] {
  return tables.flatMap(({ match }, index) => {
    const first = tables.findIndex((other) => other.match === match);
    if (first === index) return [];
    return [
      `quota[${index}].match: expected a JID or domain without a table, '${match}' has one already: quota[${first}]`,
    ];
  });
}
