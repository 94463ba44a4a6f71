import { table } from './schema.js';
import { duration, size, text } from './setting-types.js';

/** A table `[[retention]]`. */
export const retentionTable = {
  ...table({
    match: text(
      'Pattern that the file name matches. `*` stands for any characters except `/`, `?` for one, `[a-z]` for one of these, `[!a-z]` for any other one, `{jpg,png}` for one of these texts. Put `\\` before a sign that stands for itself.',
      { unset: 'any name', example: 'story_*', expected: 'a pattern for file names such as "story_*"' },
    ),
    contentType: text('Pattern that the content type matches.', {
      unset: 'any type',
      example: 'video/*',
      expected: 'a pattern for content types such as "video/*"',
    }),
    largerThan: size('Size that the upload exceeds.', { unset: 'any size', example: '20MB' }),
    expiresAfter: duration('How long prosody-filer keeps an upload that meets all conditions of the table.', {
      example: '24h',
    }),
  }),
  atLeastOneOf: ['match', 'contentType', 'largerThan'],
  expected: 'a table with expiresAfter and at least one of match, contentType and largerThan',
} as const;
