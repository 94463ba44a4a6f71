import { percentDecoded } from '../upload/percent-decoded.js';
import type { UploadKey } from '../upload/upload-key.js';

/**
 * The mistake in a set-up under which a token would be right that does not sign the key, in one line for the operator;
 * `baseSegments` are those of the base URL's path. `undefined` where none of the common mistakes explains it.
 */
export function explainPath(
  key: UploadKey,
  baseSegments: readonly string[],
  isSigned: (key: UploadKey) => boolean,
): string | undefined {
  const basePath = baseSegments.map((segment) => `${segment}/`).join('');
  const mistakes = [
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
  return mistakes.find((mistake) => mistake.key !== undefined && isSigned(mistake.key as UploadKey))?.explanation;
}
