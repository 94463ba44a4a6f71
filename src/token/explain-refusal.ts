import { percentDecoded } from '../upload/percent-decoded.js';
import type { UploadKey } from '../upload/upload-key.js';
import { type QueryScheme, querySchemes } from './query-schemes.js';
import type { AnnouncedUpload, TokenSettings } from './token.js';

/** A mistake in a set-up under which the token would be right, and how it shows. */
interface Mistake {
  readonly key: string | undefined;
  readonly explanation: string;
}

function pathMistakes(key: UploadKey, basePath: string): Mistake[] {
  return [
    {
      key: basePath !== '' && key.startsWith(basePath) ? key.slice(basePath.length) : undefined,
      explanation: `the path holds the prefix ${basePath} twice: look at the proxy and at uploadSubDir`,
    },
    {
      key: basePath === '' ? undefined : basePath + key,
      explanation: `the issuer signed the path together with the prefix ${basePath}: look at its base URL`,
    },
    { key: percentDecoded(key), explanation: 'the path was percent-encoded twice: look at the proxy' },
  ];
}

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
  const basePath = baseSegments.map((segment) => `${segment}/`).join('');
  const mistake = pathMistakes(upload.key, basePath).find(
    ({ key }) =>
      key !== undefined && scheme.verify(digest, { ...upload, key: key as UploadKey }, settings) !== undefined,
  );
  return (
    mistake?.explanation ?? `made with another secret, or for another path, type or size than ${upload.size} bytes`
  );
}
