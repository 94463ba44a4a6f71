import { FilerError } from '../errors.js';
import { verifyBearer } from './bearer.js';
import { explainRefusal } from './explain-refusal.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import type { AnnouncedUpload, Grant, TokenSettings } from './token.js';

/** Where a request may carry its token. */
export interface TokenSource {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

/** The query's token for one of the schemes, the highest version first; a repeated parameter is refused. */
function findQueryToken(query: URLSearchParams): { scheme: QueryScheme; digest: string } | undefined {
  const found = querySchemes.map((scheme) => ({ scheme, values: query.getAll(scheme.parameter) }));
  const repeated = found.find(({ values }) => values.length > 1);
  if (repeated !== undefined) {
    throw new FilerError('TOKEN_REFUSED', `the parameter "${repeated.scheme.parameter}" is repeated`);
  }
  for (const { scheme, values } of found) {
    if (values[0] !== undefined) return { scheme, digest: values[0] };
  }
  return undefined;
}

/**
 * What the request's token allows for the announced upload; only the highest version present counts, then Bearer.
 * `now` is in ms since the epoch, `baseSegments` those of the base URL's path (to name a doubled prefix).
 * Throws `TOKEN_MISSING`, `TOKEN_REFUSED`, `AUTHORIZATION_MALFORMED` or `SIZE_REFUSED`.
 */
export async function verifyToken(
  source: TokenSource,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  baseSegments: readonly string[],
  now: number,
): Promise<Grant> {
  const found = findQueryToken(source.query);
  if (found !== undefined) {
    const { scheme, digest } = found;
    const grant = scheme.verify(digest, upload, settings);
    if (grant !== undefined) return grant;
    const reason = explainRefusal(digest, scheme, upload, settings, baseSegments);
    throw new FilerError('TOKEN_REFUSED', `${scheme.name} token: ${reason}`);
  }
  if (source.authorization === undefined) {
    throw new FilerError('TOKEN_MISSING', 'neither v2, token or v in the query nor an Authorization header');
  }
  return verifyBearer(source.authorization, upload, settings, now);
}
