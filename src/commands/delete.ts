import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { FilerError, UsageError } from '../errors.js';
import type { Output } from '../output.js';
import { openOwnedStore } from '../service/open-owned-store.js';
import { encodedPath } from '../upload/encoded-path.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';

/** What `delete` is started with. */
export interface DeleteOptions {
  readonly configFile: string;
  /** The upload's URL as its recipients have it, or its path in the store. */
  readonly target: string;
}

/** What the URLs begin with that lead past this server to the bucket. */
async function bucketUrls({ s3 }: Config): Promise<URL[]> {
  if (s3 === undefined) return [];
  const { bucketUrl } = await import('../storage/s3/inspect-bucket.js');
  const beginnings = [await bucketUrl(s3), ...(s3.publicUrl === undefined ? [] : [s3.publicUrl])];
  return beginnings.map((beginning) => new URL(beginning + s3.path));
}

/** The key that one of this configuration's URLs, or the path that is not percent-encoded, names. Throws a UsageError. */
export async function keyOf(target: string, config: Config): Promise<UploadKey> {
  try {
    const [, host, rawPath = ''] = /^https?:\/\/([^/?#]+)([^?#]*)/i.exec(target) ?? [];
    if (host === undefined) return parseUploadKey(`/${encodedPath(target)}`, []);
    const basePath = encodedPath(['', ...config.baseSegments, ''].join('/'));
    // Where both have one domain, the longer path is meant.
    const inBucket = (await bucketUrls(config)).find(
      (url) =>
        url.host === host.toLowerCase() &&
        rawPath.startsWith(url.pathname) &&
        !(rawPath.startsWith(basePath) && basePath.length > url.pathname.length),
    );
    if (inBucket !== undefined) return parseUploadKey(`/${rawPath.slice(inBucket.pathname.length)}`, []);
    return parseUploadKey(rawPath, config.baseSegments);
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new UsageError(`expected an upload's URL or its path in the store, got '${target}': ${error.message}`);
  }
}

/** Deletes one upload, beside a running server or not; its slot stays taken. Throws a UsageError, also where there is none. */
export async function deleteUpload({ configFile, target }: DeleteOptions, output: Output): Promise<void> {
  const { config } = loadConfig(configFile);
  const key = await keyOf(target, config);
  const store = await openOwnedStore(config, output);
  if ((await store.delete(key)) === undefined) throw new FilerError('NOT_FOUND', `${key}: there is no such upload`);
  output.print(`deleted ${key}`);
}
