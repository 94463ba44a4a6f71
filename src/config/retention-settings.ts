import { purposes } from '../upload/purpose.js';
import { choice, table } from './schema.js';
import { duration, formats, size, text } from './setting-types.js';

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
    purpose: choice(...purposes)(
      'Purpose for which the client asked `[component]` for the slot. An upload without a purpose is for a message.',
      { unset: 'any purpose', example: 'profile' },
    ),
    expiresAfter: duration(
      'How long prosody-filer keeps an upload that meets all conditions of the table. `"never"`: for ever.',
      {
        example: '24h',
        format: formats.durationOrNever,
        isAnyCase: true,
        expected: 'a time such as "24h" or "28d", or "never"',
      },
    ),
  }),
  atLeastOneOf: ['match', 'contentType', 'largerThan', 'purpose'],
  expected: 'a table with expiresAfter and at least one of match, contentType, largerThan and purpose',
} as const;
