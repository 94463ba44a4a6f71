/*
 * An expiry that a token names, or that the type decides, stands in the object's metadata and headers, which listings do not
 * give. So that a sweep finds what is due without asking for every object, an empty object is written first:
 *
 *   .prosody-filer/expiring/2026-11-25T12:00:00.000Z/<id of the PUT>/<key>
 *
 * Names are listed in order, so the due ones come first. One without an upload does no harm: it goes when it is due. Each PUT
 * has one of its own, so that a PUT that fails takes nothing from another one of the same key.
 */
import { randomUUID } from 'node:crypto';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { ReportUnreadable } from '../store.js';
import type { S3Bucket } from './s3-bucket.js';
import { keyOfName } from './s3-keys.js';

const folder = `${reservedFolder}/expiring/`;

/** What a date can say in four digits of the year; later is as good as never. */
const maxTime = Date.UTC(9999, 11, 31);

/** When an upload expires that is not listed with all that tells so. */
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

/** What that name says; `undefined` where nobody wrote it so. */
function readName(name: string): NotedExpiry | undefined {
  const [time = '', putId = '', ...segments] = name.slice(folder.length).split('/');
  const dueAt = Date.parse(time);
  const key = keyOfName(segments.join('/'));
  if (Number.isNaN(dueAt) || key === undefined) return undefined;
  const expiry = { key, putId, dueAt };
  return nameOfExpiry(expiry) === name ? expiry : undefined;
}

/** By how many bytes that name is longer than the key in it. */
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

  /** Those that are due at `now` (ms since the epoch), the earliest first; reports names that are not notes. */
  async *due(now: number, report: ReportUnreadable): AsyncGenerator<NotedExpiry> {
    for await (const { name } of this.#bucket.list(folder, report)) {
      const expiry = readName(name);
      if (expiry === undefined) report({ path: name, reason: 'it is not the note of an expiry' });
      else if (expiry.dueAt > now) return;
      else yield expiry;
    }
  }
}
