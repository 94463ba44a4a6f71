/*
 * A deleted upload leaves a small object at its own key, so that no PUT can use the slot again (retention/tombstone-phase.ts).
 * - It has the metadata `was-deleted`; OpenStack Swift would hide an object with the metadata `deleted`.
 * - If the upload was less than a day old and its uploader is known, the metadata also describe it, for dailyQuota.
 * - Listings do not give metadata. There, size and entity tag tell tombstones from uploads. Where the tag is not the MD5 of the
 *   bytes, as with encryption, the metadata decide. They also decide once a tombstone no longer blocks its slot, since an
 *   upload of the same bytes may have replaced it.
 */
import { createHash } from 'node:crypto';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { dayMs } from '../../units.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { DeletedUpload } from '../store.js';
import type { ObjectHeaders } from './s3-bucket.js';
import { readNumber, readUploader, timeOf, type UploaderOfKey } from './s3-facts.js';
import type { ListedObject } from './s3-listed-object.js';

/** The largest object that one PUT can write. */
const maxObjectBytes = 5 * 1024 ** 3;

function withTag(text: string) {
  const body = Buffer.from(text);
  return { body, etag: `"${createHash('md5').update(body).digest('hex')}"` };
}

const kinds = {
  plain: withTag('This upload was deleted.\n'),
  ofToday: withTag('This upload was deleted on the day it came.\n'),
} as const;

/** The tombstone of an upload whose uploader is named by an id. */
export function makeTombstone({ size, uploader, modifiedAt }: DeletedUpload): {
  readonly body: Buffer;
  readonly headers: ObjectHeaders;
} {
  const isOfToday = uploader !== undefined && Date.now() - modifiedAt < dayMs;
  const facts = isOfToday ? { size: String(size), uploader, 'modified-at': String(modifiedAt) } : {};
  const { body } = isOfToday ? kinds.ofToday : kinds.plain;
  return {
    body,
    headers: { ContentType: 'text/plain', CacheControl: 'no-store', Metadata: { 'was-deleted': 'yes', ...facts } },
  };
}

/** Whether an object is a tombstone. A client may write the same metadata, but they hide no larger object. */
export function isTombstone({ Metadata, ContentLength }: HeadObjectCommandOutput): boolean {
  const isSoLong = Object.values(kinds).some(({ body }) => body.length === ContentLength);
  return isSoLong && Metadata?.['was-deleted'] !== undefined;
}

/** What a listed object is by its size and entity tag. `unclear`: only its metadata tell. */
export function guessKind({ size, etag }: ListedObject): 'upload' | 'tombstone' | 'unclear' {
  const kind = Object.values(kinds).find(({ body }) => body.length === size);
  if (kind === undefined) return 'upload';
  return kind.etag === etag ? 'tombstone' : 'unclear';
}

/** Whether a listed tombstone may describe an upload of the last 24 hours. */
export function mayBeOfToday({ size, modifiedAt }: ListedObject): boolean {
  return size === kinds.ofToday.body.length && Date.now() - modifiedAt < dayMs;
}

/** The upload that a tombstone's metadata describe; `undefined` if they describe none. */
export function readTombstone(
  key: UploadKey,
  head: HeadObjectCommandOutput,
  uploaderOf: UploaderOfKey,
): DeletedUpload | undefined {
  const { Metadata = {} } = head;
  const size = readNumber(Metadata['size']);
  const modifiedAt = readNumber(Metadata['modified-at']);
  const uploader = readUploader(key, Metadata, uploaderOf);
  if (size === undefined || modifiedAt === undefined || uploader === undefined) return undefined;
  // Clients that upload past this program may write such metadata.
  if (size > maxObjectBytes || modifiedAt > timeOf(head) + dayMs) return undefined;
  return { key, size, uploader, modifiedAt };
}
