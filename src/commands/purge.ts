import { loadConfig } from '../config/load-config.js';
import { FilerError, UsageError } from '../errors.js';
import { type Output, type ResultOptions, warnOfUnreadable } from '../output.js';
import { openOwnedStore } from '../service/open-owned-store.js';
import type { ListedUpload, Store } from '../storage/store.js';
import { parseDuration } from '../units.js';
import type { UploadKey } from '../upload/upload-key.js';
import { UploaderIds } from '../upload/uploader.js';

/** What `purge` is started with. */
export interface PurgeOptions extends ResultOptions {
  /** A duration such as `28d`. */
  readonly olderThan?: string;
  /** A JID, or an id as `stats` prints it. */
  readonly uploader?: string;
  /** Whether to only say what would go. */
  readonly dryRun: boolean;
}

function parseAge(olderThan: string): number {
  const age = parseDuration(olderThan);
  if (age >= 0) return age;
  throw new UsageError(`--older-than: expected a time such as "28d", got '${olderThan}'`);
}

/** Whether an upload is of the uploader whom a JID or an id names. */
function uploaderSelector(uploader: string | undefined, uploaderIds: UploaderIds): (upload: ListedUpload) => boolean {
  if (uploader === undefined) return () => true;
  const wanted = new Set(uploaderIds.idsOf(uploader));
  return (upload) => upload.uploader !== undefined && uploaderIds.idsOf(upload.uploader).some((id) => wanted.has(id));
}

/** Whether an upload is to go; everything that was asked for must hold. */
function selector({ olderThan, uploader }: PurgeOptions, uploaderIds: UploaderIds, now: number) {
  if (olderThan === undefined && uploader === undefined) {
    throw new UsageError('purge: expected --older-than, --uploader or both, got neither');
  }
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : now - parseAge(olderThan);
  const isOfUploader = uploaderSelector(uploader, uploaderIds);
  return (upload: ListedUpload) => upload.modifiedAt <= before && isOfUploader(upload);
}

/** Deletes an upload, or says why it could not be. */
async function tryToDelete(store: Store, key: UploadKey): Promise<boolean | string> {
  try {
    return (await store.delete(key)) !== undefined;
  } catch (error) {
    if (error instanceof FilerError) return error.message;
    throw error;
  }
}

/**
 * Deletes old uploads or those of one uploader, beside a running server or not; their slots stay taken.
 * Throws a UsageError or a ConfigError, and at the end `STORE_FAILED` where some could not be deleted.
 */
export async function purge(options: PurgeOptions, output: Output): Promise<void> {
  const { config } = loadConfig(options.configFile);
  const isChosen = selector(options, new UploaderIds(config.secrets), Date.now());
  const store = await openOwnedStore(config, output);
  const { dryRun, json, uploader } = options;
  const failures: string[] = [];
  let files = 0;
  let bytes = 0;
  const listing = { withUploaders: uploader !== undefined, onUnreadable: warnOfUnreadable(output) };
  for await (const upload of store.list(listing)) {
    if (!isChosen(upload)) continue;
    const { key, size, modifiedAt } = upload;
    const result = dryRun || (await tryToDelete(store, key));
    if (typeof result === 'string') failures.push(`${key} could not be deleted: ${result}`);
    if (result !== true) continue;
    files += 1;
    bytes += size;
    const at = new Date(modifiedAt).toISOString();
    output.print(json ? JSON.stringify({ key, size, modifiedAt: at, deleted: !dryRun }) : `${at} ${size} ${key}`);
  }
  if (!json) output.print(`${dryRun ? 'would delete' : 'deleted'} ${files} files, ${bytes} bytes`);
  if (failures.length > 0) throw new FilerError('STORE_FAILED', failures.join('\n'));
}
