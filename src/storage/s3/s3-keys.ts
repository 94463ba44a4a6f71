/** Bytes of the longest object key that services take. */
export const maxNameBytes = 1024;

/** The upload key that an object's name is, below the bucket's path; `undefined` where no upload may be called so. */
export { keyOfPath as keyOfName } from '../../upload/upload-key.js';
