import { encodedPath } from '../../upload/encoded-path.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { StoredUpload } from '../store.js';
import type { S3Bucket } from './s3-bucket.js';
import type { S3Options } from './s3-options.js';

/** How long a signed download may begin. */
const downloadSeconds = 600;

function secondsUntil(expiry: number | undefined): number {
  const left = expiry === undefined ? downloadSeconds : Math.floor((expiry - Date.now()) / 1000);
  return Math.max(1, Math.min(downloadSeconds, left));
}

/** How clients get the bytes of an upload by themselves, if they are to. */
export function locator(bucket: S3Bucket, options: S3Options, key: UploadKey): Pick<StoredUpload, 'locate'> {
  const { download, path, publicUrl } = options;
  if (download === 'proxy') return {};
  if (download === 'public') return { locate: async () => publicUrl + encodedPath(path + key) };
  return { locate: (headers, expiry) => bucket.signGet(key, headers, secondsUntil(expiry)) };
}
