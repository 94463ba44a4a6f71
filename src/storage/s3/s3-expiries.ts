/*
 * An expiry that the token names or the type decides is in the object's metadata and headers. Listings do not give these. So
 * that a sweep finds due uploads without a request for every object, an empty object is written before such an upload:
 *
 *   .prosody-filer/expiring/2026-11-25T12:00:00.000Z/<id of the PUT>/<key>
 *
 * Listings are in order, so the due ones come first. A note without an upload does no harm: a sweep removes it a day after it
 * is due. Each PUT has a note of its own, so that a PUT that fails does not remove the note of another PUT to the same key.
 */
import { randomUUID } from 'node:crypto';
import { keyOfPath, reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { ReportUnreadable } from '../store.js';
import type { S3Bucket } from './s3-bucket.js';

const folder = `${reservedFolder}/expiring/`;

/** The last day with a year of four digits. Later expiries are noted as this one. */
const maxTime = Date.UTC(9999, 11, 31);

/** The expiry of an upload that no listing tells. */
export interface NotedExpiry {
  readonly key: UploadKey;
  /** A UUID. */
  readonly putId: string;
  /** ms since the epoch. */
  readonly dueAt: number;
}

/** The name of the empty object. */
function nameOfExpiry({ key, putId, dueAt }: NotedExpiry): string {
  return `${folder}${new Date(Math.min(Math.max(dueAt, 0), maxTime)).toISOString()}/${putId}/${key}`;
}

/** The expiry that a name tells; `undefined` if this program did not write that name. */
function readName(name: string): NotedExpiry | undefined {
  const [time = '', putId = '', ...segments] = name.slice(folder.length).split('/');
  const dueAt = Date.parse(time);
  const key = keyOfPath(segments.join('/'));
  if (Number.isNaN(dueAt) || key === undefined) return undefined;
  const expiry = { key, putId, dueAt };
  return nameOfExpiry(expiry) === name ? expiry : undefined;
}

/** The name is so many bytes longer than the key in it. */
export const noteBytes = nameOfExpiry({ key: '' as UploadKey, putId: randomUUID(), dueAt: 0 }).length;

/** The noted expiries of one bucket. */
export class S3Expiries {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /** Notes an expiry. */
  async note(expiry: NotedExpiry): Promise<void> {
    await this.#bucket.write(nameOfExpiry(expiry), Buffer.alloc(0), {});
  }

  /** Forgets an expiry, if it was noted. */
  async forget(expiry: NotedExpiry): Promise<void> {
    await this.#bucket.remove(nameOfExpiry(expiry));
  }

  /** Lists the expiries that are due at `now` (ms since the epoch), the earliest first. Reports names that are no notes. */
  async *due(now: number, report: ReportUnreadable): AsyncGenerator<NotedExpiry> {
    for await (const { name } of this.#bucket.list(folder, report)) {
      const expiry = readName(name);
      if (expiry === undefined) report({ path: name, reason: 'it is not the note of an expiry' });
      else if (expiry.dueAt > now) return;
      else yield expiry;
    }
  }
}
