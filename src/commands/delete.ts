import type { Command } from 'commander';
import type { Config } from '../config/config.js';
import { FilerError, UsageError } from '../errors.js';
import type { CommandOptions, Output } from '../output.js';
import { encodedPath } from '../upload/encoded-path.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';

/** The base URLs of uploads that clients fetch from the bucket without this server. */
async function bucketUrls({ s3 }: Config): Promise<URL[]> {
  if (s3 === undefined) return [];
  const { bucketUrl } = await import('../storage/open-store.js');
  const baseUrls = [await bucketUrl(s3), ...(s3.publicUrl === undefined ? [] : [s3.publicUrl])];
  return baseUrls.map((baseUrl) => new URL(baseUrl + s3.path));
}

/**
 * The key of the upload at `target`: a URL that this configuration gives out, or a path in the store without
 * percent-encoding. Throws a UsageError for anything else.
 */
export async function keyOf(target: string, config: Config): Promise<UploadKey> {
  try {
    const [, host, rawPath = ''] = /^https?:\/\/([^/?#]+)([^?#]*)/i.exec(target) ?? [];
    if (host === undefined) return parseUploadKey(`/${encodedPath(target)}`, []);
    const basePath = encodedPath(['', ...config.baseSegments, ''].join('/'));
    // The server and the bucket may share a domain: then the longer path decides.
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

async function deleteUpload(target: string, options: CommandOptions, output: Output): Promise<void> {
  const { loadConfig } = await import('../config/load-config.js');
  const { openOwnedStore } = await import('../service/open-configured-store.js');
  const { config } = loadConfig(options.config);
  const key = await keyOf(target, config);
  const store = await openOwnedStore(config, output);
  if ((await store.delete(key)) === undefined) throw new FilerError('NOT_FOUND', `${key}: there is no such upload`);
  output.print(`deleted ${key}`);
}

/** Adds the command that deletes one upload, also while the server runs. The slot of the upload stays taken. */
export function register(program: Command, output: Output): void {
  program
    .command('delete')
    .description('delete one upload')
    .argument('<url|path>', 'URL of the upload, or its path below storeDir or below the path of [s3]')
    .action((target: string, options: CommandOptions) => deleteUpload(target, options, output));
}
