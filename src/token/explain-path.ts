import { percentDecoded } from '../upload/percent-decoded.js';
import type { UploadKey } from '../upload/upload-key.js';

/**
 * Finds out whether a common configuration mistake explains why a token does not sign the key. Returns one line for the
 * log, or `undefined`. `baseSegments` are the segments of the base URL's path.
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
      explanation: `the path has the prefix ${basePath} twice; check the proxy and uploadSubDir`,
    },
    {
      key: basePath === '' ? undefined : basePath + key,
      explanation: `the issuer signed the path including the prefix ${basePath}; check the base URL on the XMPP server`,
    },
    { key: percentDecoded(key), explanation: 'the path was percent-encoded twice; check the proxy' },
  ];
  return mistakes.find(
    (mistake) => mistake.key !== undefined && mistake.key !== key && isSigned(mistake.key as UploadKey),
  )?.explanation;
}
