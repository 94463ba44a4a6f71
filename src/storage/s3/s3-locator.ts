import { encodedPath } from '../../upload/encoded-path.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { StoredUpload } from '../store.js';
import type { S3Bucket } from './s3-bucket.js';
import type { S3Options } from './s3-options.js';

/** A download by a signed URL may begin for so long. */
const downloadSeconds = 600;

function secondsUntil(expiry: number | undefined): number {
  const left = expiry === undefined ? downloadSeconds : Math.floor((expiry - Date.now()) / 1000);
  return Math.max(1, Math.min(downloadSeconds, left));
}

/** How clients find an upload in the bucket, unless they are to fetch it through this program. */
export function locator(bucket: S3Bucket, options: S3Options, key: UploadKey): Pick<StoredUpload, 'locate'> {
  const { download, path, publicUrl } = options;
  if (download === 'proxy') return {};
  if (download === 'public') return { locate: async () => publicUrl + encodedPath(path + key) };
  return { locate: (headers, expiry) => bucket.signGet(key, headers, secondsUntil(expiry)) };
}
