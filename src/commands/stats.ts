import type { Command } from 'commander';
import { describeStorage } from '../config/config.js';
import { countOf, type Output, type ResultOptions, warnOfUnreadable } from '../output.js';
import { type Count, withProgress } from '../progress.js';
import type { Retention } from '../retention/expiry.js';
import type { ListedUpload } from '../storage/store.js';
import { dayMs, formatSize } from '../units.js';
import { bareJid, isUploaderId, UploaderIds } from '../upload/uploader.js';

interface Total {
  files: number;
  bytes: number;
}

const ages: readonly (readonly [label: string, maxMs: number])[] = [
  ['up to 1 day', dayMs],
  ['up to 7 days', 7 * dayMs],
  ['up to 28 days', 28 * dayMs],
  ['up to 365 days', 365 * dayMs],
  ['older', Number.POSITIVE_INFINITY],
];
const expiries: readonly (readonly [label: string, maxMs: number])[] = [
  ['at the next sweep', 0],
  ['within 1 day', dayMs],
  ['within 7 days', 7 * dayMs],
  ['within 28 days', 28 * dayMs],
  ['later', Number.POSITIVE_INFINITY],
];
const never = 'never';
const maxUploaders = 10;

function labelOf(labels: typeof ages, ms: number): string {
  return labels.find(([, maxMs]) => ms <= maxMs)?.[0] ?? '';
}

/** The uploads and bytes counted under each name. */
class Totals {
  readonly #totals = new Map<string, Total>();

  constructor(names: readonly string[] = []) {
    for (const name of names) this.add(name, { files: 0, bytes: 0 });
  }

  add(name: string, { files, bytes }: Total): void {
    const total = this.#totals.get(name) ?? { files: 0, bytes: 0 };
    this.#totals.set(name, { files: total.files + files, bytes: total.bytes + bytes });
  }

  list() {
    return [...this.#totals].map(([name, total]) => ({ name, ...total }));
  }

  largestFirst() {
    return this.list().sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  }
}

/**
 * One total for each uploader. Some uploads name a JID, others only an id made from it: the totals of both are added up
 * under the JID.
 */
function mergeIds(byName: Totals, uploaderIds: UploaderIds): Totals {
  const totals = byName.list();
  const jids = totals.filter(({ name }) => !isUploaderId(name)).map(({ name }) => bareJid(name));
  const jidOf = new Map(jids.flatMap((jid) => uploaderIds.idsOf(jid).map((id) => [id, jid] as const)));
  const merged = new Totals();
  for (const { name, ...total } of totals) merged.add(jidOf.get(uploaderIds.idOf(name)) ?? name, total);
  return merged;
}

/** Counts the uploads: in all, by content type without parameters, age, expiry and purpose, and for the largest uploaders. */
async function countUploads(
  uploads: AsyncIterable<ListedUpload>,
  { expiryOf }: Retention,
  uploaderIds: UploaderIds,
  now: number,
  count: Count,
) {
  let files = 0;
  let bytes = 0;
  const types = new Totals();
  const byAge = new Totals(ages.map(([label]) => label));
  const byExpiry = new Totals([...expiries.map(([label]) => label), never]);
  const byPurpose = new Totals();
  const uploaders = new Totals();
  for await (const upload of uploads) {
    const { size, contentType, modifiedAt, uploader, purpose = 'message' } = upload;
    count(1, size);
    const expiresAt = expiryOf(upload);
    const one = { files: 1, bytes: size };
    files += 1;
    bytes += size;
    types.add(contentType.replace(/ *;.*/s, '').toLowerCase(), one);
    byAge.add(labelOf(ages, now - modifiedAt), one);
    byExpiry.add(expiresAt === undefined ? never : labelOf(expiries, expiresAt - now), one);
    // A listing of a bucket does not tell the purpose.
    if (upload.isComplete) byPurpose.add(purpose, one);
    if (uploader !== undefined) uploaders.add(uploader, one);
  }
  return {
    files,
    bytes,
    types: types.largestFirst(),
    ages: byAge.list(),
    expiries: byExpiry.list(),
    purposes: byPurpose.largestFirst(),
    uploaders: mergeIds(uploaders, uploaderIds).largestFirst().slice(0, maxUploaders),
  };
}

function table(title: string, rows: readonly ({ readonly name: string } & Readonly<Total>)[]): string {
  const cells = rows.map(({ name, files, bytes }) => [name, String(files), formatSize(bytes)] as const);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map(([name, files, bytes]) =>
    ['', name.padEnd(widths[0] ?? 0), files.padStart(widths[1] ?? 0), bytes.padStart(widths[2] ?? 0)].join('  '),
  );
  return [title, ...lines].join('\n');
}

async function stats({ config: configFile, json }: ResultOptions, output: Output): Promise<void> {
  const { loadConfig } = await import('../config/load-config.js');
  const { openListedStore } = await import('../service/open-configured-store.js');
  const { compileRetention } = await import('../retention/expiry.js');
  const { config } = loadConfig(configFile);
  const store = await openListedStore(config);
  const uploads = store.list({ onUnreadable: warnOfUnreadable(output) });
  const retention = compileRetention(config.retention);
  const found = await withProgress(json ? undefined : output.progressTerminal, 'reading the store', (count) =>
    countUploads(uploads, retention, new UploaderIds(config.secrets, config.jidInUrlDomain), Date.now(), count),
  );
  const { storeDir, s3 } = config;
  if (json) return output.print(JSON.stringify({ storeDir, bucket: s3?.bucket, ...found }));
  output.print(`${countOf(found.files, 'upload')}, ${formatSize(found.bytes)} in ${describeStorage(config)}`);
  if (found.files === 0) return;
  output.print(table('\nby type', found.types));
  output.print(table('\nby age', found.ages));
  output.print(table('\nby expiry', found.expiries));
  if (found.purposes.some(({ name }) => name !== 'message')) output.print(table('\nby purpose', found.purposes));
  if (found.uploaders.length > 0) output.print(table('\nlargest uploaders', found.uploaders));
}

/** Adds the command that counts the uploads in the store. It changes nothing. */
export function register(program: Command, output: Output): void {
  program
    .command('stats')
    .description('count the uploads in the store by type, age, expiry, purpose and uploader')
    .option('--json', 'print JSON')
    .action((options: ResultOptions) => stats(options, output));
}
