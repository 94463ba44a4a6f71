import type { ListedUpload } from '../storage/store.js';
import { dayMs } from '../units.js';
import { bareJid, isUploaderId, type UploaderIds } from '../upload/uploader.js';
import type { Retention } from './expiry.js';

/** A number of uploads, and their bytes. */
interface Total {
  readonly files: number;
  readonly bytes: number;
}

/** The total of the uploads that have something in common. */
export interface NamedTotal extends Total {
  readonly name: string;
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
/** So many names are told apart. Clients choose the types, so that there may be any number. */
const maxNames = 100_000;
const others = 'others';

function labelOf(labels: typeof ages, ms: number): string {
  return labels.find(([, maxMs]) => ms <= maxMs)?.[0] ?? '';
}

/** The uploads and bytes counted under each name. */
class Totals {
  readonly #totals = new Map<string, Total>();

  constructor(names: readonly string[] = []) {
    for (const name of names) this.add(name, { files: 0, bytes: 0 });
  }

  add(given: string, { files, bytes }: Total): void {
    const name = this.#totals.size < maxNames || this.#totals.has(given) ? given : others;
    const total = this.#totals.get(name) ?? { files: 0, bytes: 0 };
    this.#totals.set(name, { files: total.files + files, bytes: total.bytes + bytes });
  }

  list(): NamedTotal[] {
    return [...this.#totals].map(([name, total]) => ({ name, ...total }));
  }

  largestFirst(): NamedTotal[] {
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

/**
 * Counts the uploads: in all, by content type without parameters, age, expiry and purpose, and for the largest uploaders. `count`
 * is called for each with its size. `now` is in ms since the epoch.
 */
export async function countUploads(
  uploads: AsyncIterable<ListedUpload>,
  { expiryOf }: Retention,
  uploaderIds: UploaderIds,
  now: number,
  count: (uploads: number, bytes: number) => void,
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
