import { explainPath } from './explain-path.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import type { AnnouncedUpload, TokenSettings } from './token.js';

/**
 * Why a query token does not sign the upload, in one line for the log. It tries each common mistake against the digest.
 * `baseSegments` are the segments of the base URL's path.
 */
export function explainRefusal(
  digest: string,
  scheme: QueryScheme,
  upload: AnnouncedUpload,
  settings: TokenSettings,
  baseSegments: readonly string[],
): string {
  if (!/^[0-9a-f]{64}$/.test(digest)) return 'it is not 64 lowercase hex digits';
  // v2 and token sign the same bytes. Each try costs an HMAC for each candidate type.
  const other = querySchemes.find(({ sign }) => sign !== scheme.sign);
  if (other?.verify(digest, upload, settings) !== undefined)
    return `it is a ${other?.name} token in the parameter "${scheme.parameter}"`;
  const untyped = upload.contentType === '' && scheme.name !== 'v1' ? '; no Content-Type was sent' : '';
  const isStrict = settings.strictContentType;
  if (isStrict && scheme.verify(digest, upload, { ...settings, strictContentType: false }) !== undefined) {
    return `it was made for another content type, and strictContentType is on${untyped}`;
  }
  const mistake = explainPath(
    upload.key,
    baseSegments,
    (key) => scheme.verify(digest, { ...upload, key }, settings) !== undefined,
  );
  if (mistake !== undefined) return mistake;
  const found = `the PUT has ${upload.size} bytes${untyped}`;
  return `it was made with another secret, or for another path, type or size; ${found}`;
}
