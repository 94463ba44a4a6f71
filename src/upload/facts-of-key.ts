import { typeOfName } from './content-type.js';
import { type UploadKey, uploaderOfKey } from './upload-key.js';

/** What the key alone tells about an upload: the type of its extension, and the uploader if it names one. */
export function factsOfKey(
  key: UploadKey,
  jidInUrlDomain: string | undefined,
): { readonly contentType: string; readonly uploader: string | undefined } {
  return { contentType: typeOfName(key), uploader: uploaderOfKey(key, jidInUrlDomain) };
}
