import { querySchemes } from './query-schemes.js';
import { slotParameter } from './slot-token.js';

const parameters = [slotParameter, ...querySchemes.map(({ parameter }) => parameter)].join('|');
const encodedQuery = new RegExp(`%(?:25)*3f(?:${parameters})(?:=|%(?:25)*3d)`, 'i');

/** Why the token of a request is in its raw path and not in its query, in one line for the operator; `undefined` where it is not. */
export function explainEncodedQuery(rawPath: string): string | undefined {
  if (!encodedQuery.test(rawPath)) return undefined;
  return 'the question mark of the URL was percent-encoded, so the token is part of the path: look at the client and the proxy';
}
