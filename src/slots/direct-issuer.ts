import { encodedPath } from '../upload/encoded-path.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { SlotIssuer } from './slot-issuer.js';

/** Who signs uploads to an object store. */
export interface UploadSigner {
  /** A URL that takes one file of so many bytes for so many seconds, of that type if one is given. */
  signPut(key: UploadKey, size: number, contentType: string | undefined, seconds: number): Promise<string>;
}

/** How long a client may take to begin: as long as with Prosody's tokens. */
const validSeconds = 300;

/** Issues slots of an object store, whose files are fetched below the URL (with a slash at its end). */
export function directIssuer(signer: UploadSigner, downloadUrl: string): SlotIssuer {
  return {
    isUploadUnseen: true,
    async issue({ key, size, contentType }) {
      const putUrl = await signer.signPut(key, size, contentType, validSeconds);
      return { putUrl, getUrl: downloadUrl + encodedPath(key) };
    },
  };
}
