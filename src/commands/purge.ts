import type { Command } from 'commander';
import { FilerError, UsageError } from '../errors.js';
import { inBatches } from '../in-batches.js';
import { type Output, type ResultOptions, warnOfUnreadable } from '../output.js';
import { type Count, withProgress } from '../progress.js';
import { deletionsAtOnce } from '../retention/user-uploads.js';
import type { ListedUpload, Store } from '../storage/store.js';
import { countOf, parseDuration } from '../units.js';
import type { UploadKey } from '../upload/upload-key.js';
import { UploaderIds } from '../upload/uploader.js';

interface PurgeOptions extends ResultOptions {
  readonly olderThan?: string;
  readonly uploader?: string;
  readonly dryRun?: boolean;
}

function parseAge(olderThan: string): number {
  const age = parseDuration(olderThan);
  if (age >= 0) return age;
  throw new UsageError(`--older-than: expected an age such as "28d", got '${olderThan}'`);
}

/** Makes a test for the uploads of one uploader: a JID or an id. Without one, every upload passes. */
function uploaderSelector(uploader: string | undefined, uploaderIds: UploaderIds): (upload: ListedUpload) => boolean {
  if (uploader === undefined) return () => true;
  const wanted = new Set(uploaderIds.idsOf(uploader));
  return (upload) => upload.uploader !== undefined && uploaderIds.idsOf(upload.uploader).some((id) => wanted.has(id));
}

/** Makes a test for the uploads to delete. With both options, an upload must match both. */
function selector({ olderThan, uploader }: PurgeOptions, uploaderIds: UploaderIds, now: number) {
  if (olderThan === undefined && uploader === undefined) {
    throw new UsageError('purge: expected --older-than, --uploader or both, to say which uploads to delete');
  }
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : now - parseAge(olderThan);
  const isOfUploader = uploaderSelector(uploader, uploaderIds);
  return (upload: ListedUpload) => upload.modifiedAt <= before && isOfUploader(upload);
}

/** Deletes an upload; `false` if it is gone already. Resolves to the reason if it cannot be deleted. */
async function tryToDelete(store: Store, key: UploadKey): Promise<boolean | string> {
  try {
    return (await store.delete(key)) !== undefined;
  } catch (error) {
    if (error instanceof FilerError) return error.message;
    throw error;
  }
}

/** Counts all uploads, and gives the chosen ones. */
async function* choose(
  uploads: AsyncIterable<ListedUpload>,
  isChosen: (upload: ListedUpload) => boolean,
  count: Count,
) {
  for await (const upload of uploads) {
    count(1, upload.size);
    if (isChosen(upload)) yield upload;
  }
}

/** Deletes the chosen uploads and prints each; resolves to their number, their size, and the reasons for failures. */
async function deleteChosen(
  store: Store,
  isChosen: (upload: ListedUpload) => boolean,
  { dryRun, json, uploader }: PurgeOptions,
  output: Output,
  count: Count,
) {
  const failures: string[] = [];
  let uploads = 0;
  let bytes = 0;
  const listing = { withUploaders: uploader !== undefined, onUnreadable: warnOfUnreadable(output) };
  const deleteOne = async ({ key, size, modifiedAt }: ListedUpload): Promise<void> => {
    const result = dryRun || (await tryToDelete(store, key));
    if (typeof result === 'string') failures.push(`cannot delete ${key}: ${result}`);
    if (result !== true) return;
    uploads += 1;
    bytes += size;
    const at = new Date(modifiedAt).toISOString();
    output.print(json ? JSON.stringify({ key, size, modifiedAt: at, deleted: !dryRun }) : `${at} ${size} ${key}`);
  };
  for await (const batch of inBatches(choose(store.list(listing), isChosen, count), deletionsAtOnce)) {
    await Promise.all(batch.map(deleteOne));
  }
  return { uploads, bytes, failures };
}

async function purge(options: PurgeOptions, output: Output): Promise<void> {
  const { loadConfig } = await import('../config/load-config.js');
  const { openOwnedStore } = await import('../service/open-configured-store.js');
  const { config } = loadConfig(options.config);
  const isChosen = selector(options, new UploaderIds(config.secrets, config.jidInUrlDomain), Date.now());
  const store = await openOwnedStore(config, output);
  const { dryRun, json } = options;
  const { uploads, bytes, failures } = await withProgress(
    json ? undefined : output.progressTerminal,
    'reading the store',
    (count) => deleteChosen(store, isChosen, options, output, count),
  );
  if (!json) output.print(`${dryRun ? 'would delete' : 'deleted'} ${countOf(uploads, 'upload')}, ${bytes} bytes`);
  if (failures.length > 0) throw new FilerError('STORE_FAILED', failures.join('\n'));
}

/** Adds the command that deletes many uploads, also while the server runs. Their slots stay taken. */
export function register(program: Command, output: Output): void {
  program
    .command('purge')
    .description('delete old uploads, or the uploads of one uploader')
    .option('--older-than <age>', 'delete uploads older than this, such as 28d')
    .option('--uploader <jid|id>', 'delete the uploads of this uploader: a JID, or an id that stats prints')
    .option('--dry-run', 'print the uploads that would be deleted, but keep them')
    .option('--json', 'print JSON: a line for each upload')
    .addHelpText('after', '\nWith both --older-than and --uploader, an upload must match both.\n')
    .action((options: PurgeOptions) => purge(options, output));
}
