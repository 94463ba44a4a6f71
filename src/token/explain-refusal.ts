import { explainPath } from './explain-path.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import type { AnnouncedUpload, TokenSettings } from './token.js';

/**
 * Why a query token does not sign the upload, in one line for the operator, as far as it can be told: each common
 * mistake is tried against the digest. `baseSegments` are those of the base URL's path.
 */
export function explainRefusal(
  digest: string,
  scheme: QueryScheme,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  baseSegments: readonly string[],
): string {
  if (!/^[0-9a-f]{64}$/.test(digest)) return 'it is not 64 lowercase hex digits';
  const other = querySchemes.find((candidate) => candidate.verify(digest, upload, settings) !== undefined);
  if (other !== undefined) return `it is a ${other.name} token in the parameter "${scheme.parameter}"`;
  if (scheme.verify(digest, upload, { ...settings, strictContentType: false }) !== undefined) {
    return 'its slot is for another content type (strictContentType)';
  }
  const mistake = explainPath(
    upload.key,
    baseSegments,
    (key) => scheme.verify(digest, { ...upload, key }, settings) !== undefined,
  );
  return mistake ?? `made with another secret, or for another path, type or size than ${upload.size} bytes`;
}
