import { FilerError } from '../errors.js';
import { verifyBearer } from './bearer.js';
import { explainRefusal } from './explain-refusal.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import { slotParameter, verifySlotToken } from './slot-token.js';
import type { AnnouncedUpload, Grant, TokenSettings } from './token.js';

/** The parts of a request that can hold its token. */
export interface TokenSource {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

function refuseRepeated(query: URLSearchParams): void {
  const parameters = [slotParameter, ...querySchemes.map(({ parameter }) => parameter)];
  const repeated = parameters.find((parameter) => query.getAll(parameter).length > 1);
  if (repeated !== undefined) throw new FilerError('TOKEN_REFUSED', `the parameter "${repeated}" is repeated`);
}

/** The digest in the query and its scheme, in the schemes' order of precedence. */
function findDigest(query: URLSearchParams): { scheme: QueryScheme; digest: string } | undefined {
  for (const scheme of querySchemes) {
    const digest = query.get(scheme.parameter);
    if (digest !== null) return { scheme, digest };
  }
  return undefined;
}

/**
 * Verifies the token of a request for the announced upload. If there are several tokens, only the first one counts: the slot
 * token, then the query schemes in their order, then Bearer.
 * `now` is in ms since the epoch. `baseSegments`, the segments of the base URL's path, serve to explain a refusal.
 * Throws `TOKEN_MISSING`, `TOKEN_REFUSED`, `AUTHORIZATION_MALFORMED` or `SIZE_REFUSED`.
 */
export async function verifyToken(
  source: TokenSource,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  baseSegments: readonly string[],
  now: number,
): Promise<Grant> {
  refuseRepeated(source.query);
  const slotToken = source.query.get(slotParameter);
  if (slotToken !== null) return verifySlotToken(slotToken, upload, settings, baseSegments, now);
  const found = findDigest(source.query);
  if (found !== undefined) {
    const { scheme, digest } = found;
    const grant = scheme.verify(digest, upload, settings);
    if (grant !== undefined) return grant;
    const reason = explainRefusal(digest, scheme, upload, settings, baseSegments);
    throw new FilerError('TOKEN_REFUSED', `${scheme.name} token: ${reason}`);
  }
  if (source.authorization === undefined) {
    throw new FilerError(
      'TOKEN_MISSING',
      'no token: the request needs slot, v2, token or v in the query, or an Authorization header',
    );
  }
  return verifyBearer(source.authorization, upload, settings, now);
}
