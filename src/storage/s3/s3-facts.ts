/*
 * The facts of an upload as headers and metadata of its object. The service shows both to everybody who fetches the object, so
 * they name the uploader by an id only. Headers and metadata may also come from a client that has uploaded to the bucket
 * itself, so each value is checked.
 */
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { dayMs } from '../../units.js';
import { dispositionOf } from '../../upload/content-disposition.js';
import { servableType, servedType, typeOfName } from '../../upload/content-type.js';
import { isPurpose } from '../../upload/purpose.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { isUploaderId } from '../../upload/uploader.js';
import type { KeyedFacts, StoredFacts } from '../store.js';
import type { ObjectHeaders } from './s3-bucket.js';

const yearSeconds = (365 * dayMs) / 1000;

const uuid = /^[0-9a-f-]{36}$/;

/** Metadata of an object. */
export type Metadata = Readonly<Record<string, string>>;

/** The whole number in a text; `undefined` for anything else. */
export function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The id of the uploader whom a key names; `undefined` if it names none. */
export type UploaderOfKey = (key: UploadKey) => string | undefined;

/** The id of the uploader: the one in the key, which clients cannot choose, or else the one in the metadata. */
export function readUploader(
  key: UploadKey,
  { uploader = '' }: Metadata,
  uploaderOf: UploaderOfKey,
): string | undefined {
  return uploaderOf(key) ?? (isUploaderId(uploader) ? uploader : undefined);
}

/** The PUT that wrote an upload, and its expiry if that was noted (ms since the epoch). */
export interface Note {
  readonly putId: string | undefined;
  readonly dueAt: number | undefined;
}

/** The note in the metadata of an object; its fields are missing if this program did not write it. */
export function readNote({ Metadata = {} }: HeadObjectCommandOutput): Note {
  return { putId: uuid.exec(Metadata['put-id'] ?? '')?.[0], dueAt: readNumber(Metadata['due-at']) };
}

/** The time when an object was written, ms since the epoch. */
export function timeOf({ LastModified }: HeadObjectCommandOutput): number {
  return LastModified?.getTime() ?? 0;
}

/** The headers of an upload whose uploader is named by an id. Caches may keep it until `keptUntil`, or for a year. */
export function objectHeaders(
  { key, contentType, expiresAt, uploader, purpose }: KeyedFacts,
  keptUntil: number | undefined,
  { putId, dueAt }: Note,
): ObjectHeaders {
  const caching =
    keptUntil === undefined
      ? { CacheControl: `max-age=${yearSeconds}, immutable, no-transform` }
      : { CacheControl: 'immutable, no-transform', Expires: new Date(keptUntil) };
  return {
    ContentType: servedType(contentType),
    ContentDisposition: dispositionOf(key, contentType) ?? 'inline',
    ...caching,
    Metadata: {
      ...(putId === undefined ? {} : { 'put-id': putId }),
      ...(dueAt === undefined ? {} : { 'due-at': String(dueAt) }),
      // Here the Content-Type is another one, so that browsers do not run it.
      ...(servedType(contentType) === contentType ? {} : { type: contentType }),
      ...(expiresAt === undefined ? {} : { 'expires-at': String(expiresAt) }),
      ...(uploader === undefined ? {} : { uploader }),
      ...(purpose === undefined ? {} : { purpose }),
    },
  };
}

/** The facts that key and object tell. The type may come from a client that uploaded to the bucket itself. */
export function toFacts(key: UploadKey, head: HeadObjectCommandOutput, uploaderOf: UploaderOfKey): StoredFacts {
  const { Metadata = {} } = head;
  const type = servableType(Metadata['type'] ?? head.ContentType ?? '');
  const isUnknown = Metadata['put-id'] === undefined && /^(application|binary)\/octet-stream$/.test(type);
  return {
    size: head.ContentLength ?? 0,
    modifiedAt: timeOf(head),
    contentType: isUnknown ? typeOfName(key) : type,
    expiresAt: readNumber(Metadata['expires-at']),
    uploader: readUploader(key, Metadata, uploaderOf),
    purpose: isPurpose(Metadata['purpose']) ? Metadata['purpose'] : undefined,
  };
}
