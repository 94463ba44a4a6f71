/*
 * Tokens have no place in the log. They stand in the query and in headers, which are not logged. But where a client or a
 * proxy percent-encodes the question mark, the token becomes part of the path. 64 hex digits alone stay readable, since
 * files and slots may be named like that. They are taken for a token after its parameter, after "?", "&" or "=" that was
 * percent-encoded, and anywhere in a path segment behind a "?" that was.
 */
const digest = '[0-9a-f]{64}';
const dot = '(?:\\.|%(?:25)*2e)';
/** Its header is JSON, and `{"` is `eyJ` in Base64. */
const jwt = `eyJ[\\w-]{8,}${dot}[\\w-]{8,}${dot}[\\w-]{8,}`;
const parameter = '(?:v2?|token|slot|x-amz-signature)(?:=|%(?:25)*3d)';
const ofQuery = '%(?:25)*(?:26|3d|3f)';
/** Where a word begins, which may be right after a percent-encoded character. */
const begin = '(?<![\\w-])|(?<=%(?:25)*(?:20|22|26|2f|3a|3b|3d|3f))';

const tokens = new RegExp(
  `(?<=(?:${begin})${parameter})(?:${digest}|${jwt})|(?<=${ofQuery})${digest}|(?:${begin})${jwt}`,
  'gi',
);

/** The rest of a path segment behind a "?", or the full-width one that some keyboards type. */
const behindQuestionMark = /%(?:25)*(?:3f|ef%(?:25)*bc%(?:25)*9f)[^/]*/gi;
/** What is percent-encoded comes first: its last digit is no part of a digest behind it. */
const encodedOrDigest = new RegExp(`(%(?:25)*[0-9a-f]{2})|${digest}`, 'gi');

/** The text without the tokens in it, percent-encoded any number of times or not at all. */
export function redact(text: string): string {
  return text
    .replace(behindQuestionMark, (rest) =>
      rest.replace(encodedOrDigest, (_match, encoded?: string) => encoded ?? '[redacted]'),
    )
    .replace(tokens, '[redacted]');
}
