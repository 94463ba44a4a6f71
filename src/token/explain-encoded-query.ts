import { querySchemes } from './query-schemes.js';
import { slotParameter } from './slot-token.js';

const parameters = [slotParameter, ...querySchemes.map(({ parameter }) => parameter)].join('|');
const encodedQuery = new RegExp(`%(?:25)*3f(?:${parameters})(?:=|%(?:25)*3d)`, 'i');

/** One line for the log if the token is in the raw path of a request instead of its query, else `undefined`. */
export function explainEncodedQuery(rawPath: string): string | undefined {
  if (!encodedQuery.test(rawPath)) return undefined;
  return 'the question mark of the URL was percent-encoded, so the token is part of the path; check the client and the proxy';
}
