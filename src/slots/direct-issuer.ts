import { encodedPath } from '../upload/encoded-path.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { SlotIssuer } from './slot-issuer.js';

/** Signs uploads to an object store. */
export interface UploadSigner {
  /** A URL for a PUT of exactly `size` bytes, valid for `seconds`, and only for that type if one is given. */
  signPut(key: UploadKey, size: number, contentType: string | undefined, seconds: number): Promise<string>;
}

/** How long a client may take to begin, as with Prosody's tokens. */
const validSeconds = 300;

/** Issues slots of an object store. `downloadUrl` ends with a slash, and files are downloaded below it. */
export function directIssuer(signer: UploadSigner, downloadUrl: string): SlotIssuer {
  return {
    isUploadUnseen: true,
    async issue({ key, size, contentType }) {
      const putUrl = await signer.signPut(key, size, contentType, validSeconds);
      return { putUrl, getUrl: downloadUrl + encodedPath(key) };
    },
  };
}
