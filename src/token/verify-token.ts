import { FilerError } from '../errors.js';
import { verifyBearer } from './bearer.js';
import { explainRefusal } from './explain-refusal.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import { slotParameter, verifySlotToken } from './slot-token.js';
import type { AnnouncedUpload, Grant, TokenSettings } from './token.js';

/** Where a request may carry its token. */
export interface TokenSource {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}

function refuseRepeated(query: URLSearchParams): void {
  const parameters = [slotParameter, ...querySchemes.map(({ parameter }) => parameter)];
  const repeated = parameters.find((parameter) => query.getAll(parameter).length > 1);
  if (repeated !== undefined) throw new FilerError('TOKEN_REFUSED', `the parameter "${repeated}" is repeated`);
}

/** The query's digest for one of the schemes, the highest version first. */
function findDigest(query: URLSearchParams): { scheme: QueryScheme; digest: string } | undefined {
  for (const scheme of querySchemes) {
    const digest = query.get(scheme.parameter);
    if (digest !== null) return { scheme, digest };
  }
  return undefined;
}

/**
 * What the request's token allows for the announced upload; of our own slots' token, the highest version in the query and
 * Bearer only the first one that is present counts.
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
    throw new FilerError('TOKEN_MISSING', 'neither slot, v2, token or v in the query nor an Authorization header');
  }
  return verifyBearer(source.authorization, upload, settings, now);
}
