/** Bytes of the longest key of an object. */
export const maxNameBytes = 1024;

/** The upload key of an object's name below the bucket's path; `undefined` if no upload can have that name. */
export { keyOfPath as keyOfName } from '../../upload/upload-key.js';
