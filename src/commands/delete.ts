import { loadConfig } from '../config/load-config.js';
import { FilerError } from '../errors.js';
import { encodedPath } from '../upload/encoded-path.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';
import { openOwnedStore } from './open-owned-store.js';
import type { Output } from './output.js';
import { UsageError } from './usage-error.js';

/** What `delete` is started with. */
export interface DeleteOptions {
  readonly configFile: string;
  /** The upload's URL as its recipients have it, or its path in the store. */
  readonly target: string;
}

/** The key that the URL, or the path that is not percent-encoded, names. */
function keyOf(target: string, baseSegments: readonly string[]): UploadKey {
  try {
    const origin = /^https?:\/\/[^/]+/i.exec(target)?.[0];
    if (origin !== undefined) return parseUploadKey(target.slice(origin.length).replace(/[?#].*$/s, ''), baseSegments);
    return parseUploadKey(`/${encodedPath(target)}`, []);
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new UsageError(`expected an upload's URL or its path in the store, got '${target}': ${error.message}`);
  }
}

/** Deletes one upload, beside a running server or not; its slot stays taken. Throws a UsageError, also where there is none. */
export async function deleteUpload({ configFile, target }: DeleteOptions, output: Output): Promise<void> {
  const { config } = loadConfig(configFile);
  const key = keyOf(target, config.baseSegments);
  const store = await openOwnedStore(config);
  if ((await store.delete(key)) === undefined) throw new FilerError('NOT_FOUND', `${key}: there is no such upload`);
  output.print(`deleted ${key}`);
}
