import { create } from 'content-disposition';
import { mayShowInline } from './content-type.js';
import type { UploadKey } from './upload-key.js';

/** The Content-Disposition (RFC 6266) that makes browsers save the upload; `undefined` if they may show it in place. */
export function dispositionOf(key: UploadKey, contentType: string): string | undefined {
  return mayShowInline(contentType) ? undefined : create(key.slice(key.lastIndexOf('/') + 1));
}
