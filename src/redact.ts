/*
 * Keeps tokens out of the log. Queries and headers are not logged. But if a client or a proxy percent-encodes the question
 * mark, the token becomes part of the path. 64 hex digits alone are not redacted, since files and slots can have such names.
 * They count as a token in three places: behind the name of a token parameter, behind a percent-encoded "?", "&" or "=", and
 * anywhere in the path segment behind a percent-encoded "?".
 */
const digest = '[0-9a-f]{64}';
const dot = '(?:\\.|%(?:25)*2e)';
/** A JWT begins with JSON, and `{"` is `eyJ` in Base64. */
const jwt = `eyJ[\\w-]{8,}${dot}[\\w-]{8,}${dot}[\\w-]{8,}`;
const parameter = '(?:v2?|token|slot|x-amz-signature)(?:=|%(?:25)*3d)';
const ofQuery = '%(?:25)*(?:26|3d|3f)';
/** The beginning of a word, also right behind a percent-encoded character. */
const begin = '(?<![\\w-])|(?<=%(?:25)*(?:20|22|26|2f|3a|3b|3d|3f))';

const tokens = new RegExp(
  `(?<=(?:${begin})${parameter})(?:${digest}|${jwt})|(?<=${ofQuery})${digest}|(?:${begin})${jwt}`,
  'gi',
);

/** A path segment from its "?" on. Some keyboards type a full-width question mark. */
const behindQuestionMark = /%(?:25)*(?:3f|ef%(?:25)*bc%(?:25)*9f)[^/]*/gi;
/** Matches percent-encoded characters first, so that the digits of one do not count as part of a digest behind it. */
const encodedOrDigest = new RegExp(`(%(?:25)*[0-9a-f]{2})|${digest}`, 'gi');

/** The text with its tokens replaced by "[redacted]". Handles percent-encoding of any depth. */
export function redact(text: string): string {
  return text
    .replace(behindQuestionMark, (rest) =>
      rest.replace(encodedOrDigest, (_match, encoded?: string) => encoded ?? '[redacted]'),
    )
    .replace(tokens, '[redacted]');
}
