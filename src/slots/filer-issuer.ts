import { signPut } from '../token/sign-token.js';
import { typeOfName } from '../upload/content-type.js';
import { encodedPath } from '../upload/encoded-path.js';
import type { SlotIssuer } from './slot-issuer.js';

/** Issues slots of prosody-filer's own HTTP server below `baseUrl`, which ends with a slash. */
export function filerIssuer(baseUrl: string, secret: string): SlotIssuer {
  return {
    isUploadUnseen: false,
    async issue({ key, size, contentType = typeOfName(key), ...more }, now) {
      const { query } = await signPut('slot', secret, { key, size, contentType }, { now, ...more });
      const getUrl = baseUrl + encodedPath(key);
      return { putUrl: `${getUrl}?${query}`, getUrl };
    },
  };
}
