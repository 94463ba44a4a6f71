import { loadConfig } from '../config/load-config.js';
import type { ListedUpload, Store } from '../storage/store.js';
import { parseDuration } from '../units.js';
import { uploaderHash } from '../upload/uploader.js';
import { openOwnedStore } from './open-owned-store.js';
import type { Output, ResultOptions } from './output.js';
import { UsageError } from './usage-error.js';

/** What `purge` is started with. */
export interface PurgeOptions extends ResultOptions {
  /** A duration such as `28d`. */
  readonly olderThan?: string;
  /** A bare JID, or ejabberd's hash of one. */
  readonly uploader?: string;
  /** Whether to only say what would go. */
  readonly dryRun: boolean;
}

/** What may stand for an uploader in the store: the JID, or the hash with which ejabberd begins its paths. */
function namesOf(uploader: string): Set<string> {
  return new Set([uploader, uploaderHash(uploader)]);
}

function parseAge(olderThan: string): number {
  const age = parseDuration(olderThan);
  if (age >= 0) return age;
  throw new UsageError(`--older-than: expected a time such as "28d", got '${olderThan}'`);
}

/** Whose it is; what a bucket's listing does not say, the upload does. */
async function uploaderOf(upload: ListedUpload, store: Store): Promise<string> {
  if (upload.uploader !== undefined) return upload.uploader;
  const opened = await store.open(upload.key);
  opened?.close();
  return opened?.uploader ?? '';
}

/** Whether an upload is to go; everything that was asked for must hold. */
function selector({ olderThan, uploader }: PurgeOptions, now: number) {
  if (olderThan === undefined && uploader === undefined) {
    throw new UsageError('purge: expected --older-than, --uploader or both, got neither');
  }
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : now - parseAge(olderThan);
  const names = uploader === undefined ? undefined : namesOf(uploader);
  return async (upload: ListedUpload, store: Store) =>
    upload.modifiedAt <= before && (names === undefined || names.has(await uploaderOf(upload, store)));
}

/** Deletes old uploads or those of one uploader, beside a running server or not; their slots stay taken. Throws a UsageError or a ConfigError. */
export async function purge(options: PurgeOptions, output: Output): Promise<void> {
  const { config } = loadConfig(options.configFile);
  const isChosen = selector(options, Date.now());
  const store = await openOwnedStore(config);
  const { dryRun, json } = options;
  let files = 0;
  let bytes = 0;
  for await (const upload of store.list()) {
    if (!(await isChosen(upload, store)) || !(dryRun || (await store.delete(upload.key)))) continue;
    files += 1;
    bytes += upload.size;
    const { key, size, modifiedAt } = upload;
    const at = new Date(modifiedAt).toISOString();
    output.print(json ? JSON.stringify({ key, size, modifiedAt: at, deleted: !dryRun }) : `${at} ${size} ${key}`);
  }
  if (!json) output.print(`${dryRun ? 'would delete' : 'deleted'} ${files} files, ${bytes} bytes`);
}
