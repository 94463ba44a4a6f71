import { signPut } from '../token/sign-token.js';
import { typeOfName } from '../upload/content-type.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { SlotIssuer } from './slot-issuer.js';

/** RFC 3986 §2.3: everything but the unreserved characters, so that no client cuts a URL at a bracket or a quote. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The URL of a key below a base URL that ends with a slash. */
export function urlOf(baseUrl: string, key: UploadKey): string {
  return baseUrl + key.split('/').map(encodeSegment).join('/');
}

/** Issues slots of this program's own HTTP side, with tokens that the secret signs and the type of the name if none was announced. */
export function filerIssuer(baseUrl: string, secret: string): SlotIssuer {
  return {
    isUploadUnseen: false,
    async issue({ key, size, contentType = typeOfName(key), ...more }, now) {
      const { query } = await signPut('slot', secret, { key, size, contentType }, { now, ...more });
      const getUrl = urlOf(baseUrl, key);
      return { putUrl: `${getUrl}?${query}`, getUrl };
    },
  };
}
