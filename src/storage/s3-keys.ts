import { keyBelow, type UploadKey } from '../upload/upload-key.js';

/** Bytes of the longest object key that services take. */
export const maxNameBytes = 1024;

/** The upload key that an object's name is, below the bucket's path; `undefined` where no upload may be called so. */
export function keyOfName(name: string): UploadKey | undefined {
  let key: UploadKey | undefined;
  for (const segment of name.split('/')) {
    key = keyBelow(key, segment);
    if (key === undefined) return undefined;
  }
  return key;
}
