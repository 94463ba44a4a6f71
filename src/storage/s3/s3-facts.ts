/*
 * What an upload is, as headers and metadata of its object. The service shows both to everybody who fetches from it: of the
 * uploader there is only the id. They need not be this program's: a client that uploads to the bucket by itself may add
 * some of its own.
 */
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { dayMs } from '../../units.js';
import { dispositionOf } from '../../upload/content-disposition.js';
import { servableType, servedType, typeOfName } from '../../upload/content-type.js';
import { type UploadKey, uploaderOfKey } from '../../upload/upload-key.js';
import { isUploaderId } from '../../upload/uploader.js';
import type { KeyedFacts, StoredFacts } from '../store.js';
import type { ObjectHeaders } from './s3-bucket.js';

const yearSeconds = (365 * dayMs) / 1000;

const uuid = /^[0-9a-f-]{36}$/;

/** Metadata of an object, whoever wrote them. */
export type Metadata = Readonly<Record<string, string>>;

/** The whole number that stands there, `undefined` for anything else. */
export function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The id of the uploader: the one in the key, in which nobody can put another one, or else the one in the metadata. */
export function readUploader(key: UploadKey, { uploader = '' }: Metadata): string | undefined {
  return uploaderOfKey(key) ?? (isUploaderId(uploader) ? uploader : undefined);
}

/** By which PUT an upload was written, and when it is due if that was noted (ms since the epoch). */
export interface Note {
  readonly putId: string | undefined;
  readonly dueAt: number | undefined;
}

/** What this program noted of an object that it wrote. */
export function readNote({ Metadata = {} }: HeadObjectCommandOutput): Note {
  return { putId: uuid.exec(Metadata['put-id'] ?? '')?.[0], dueAt: readNumber(Metadata['due-at']) };
}

/** When the object was written, ms since the epoch. */
export function timeOf({ LastModified }: HeadObjectCommandOutput): number {
  return LastModified?.getTime() ?? 0;
}

/** What is written beside the bytes of an upload, whose uploader is named by an id. */
export function objectHeaders(
  { key, contentType, expiresAt, uploader }: KeyedFacts,
  keptUntil: number | undefined,
  { putId, dueAt }: Note,
): ObjectHeaders {
  const caching =
    keptUntil === undefined
      ? { CacheControl: `max-age=${yearSeconds}, immutable` }
      : { CacheControl: 'immutable', Expires: new Date(keptUntil) };
  return {
    ContentType: servedType(contentType),
    ContentDisposition: dispositionOf(key, contentType) ?? 'inline',
    ...caching,
    Metadata: {
      ...(putId === undefined ? {} : { 'put-id': putId }),
      ...(dueAt === undefined ? {} : { 'due-at': String(dueAt) }),
      // Where the service must not say it.
      ...(servedType(contentType) === contentType ? {} : { type: contentType }),
      ...(expiresAt === undefined ? {} : { 'expires-at': String(expiresAt) }),
      ...(uploader === undefined ? {} : { uploader }),
    },
  };
}

/** What key and object say; of a client that uploaded past this program the type may be anything, also that of no type. */
export function toFacts(key: UploadKey, head: HeadObjectCommandOutput): StoredFacts {
  const { Metadata = {} } = head;
  const type = servableType(Metadata['type'] ?? head.ContentType ?? '');
  const isUnknown = Metadata['put-id'] === undefined && /^(application|binary)\/octet-stream$/.test(type);
  return {
    size: head.ContentLength ?? 0,
    modifiedAt: timeOf(head),
    contentType: isUnknown ? typeOfName(key) : type,
    expiresAt: readNumber(Metadata['expires-at']),
    uploader: readUploader(key, Metadata),
  };
}
