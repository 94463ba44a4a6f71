/*
 * The one door to the stores for service/, diagnosis/ and commands/. The AWS SDK is loaded only where S3 is configured.
 */
import type { UploaderIds } from '../upload/uploader.js';
import { type OpenDiskOptions, openDiskStore, readDiskStore } from './disk/open-disk-store.js';
import { type MadeOwnership, type Ownership, probeModes } from './disk/probe-modes.js';
import type { S3StoreOptions } from './s3/open-s3-store.js';
import type { S3Bucket } from './s3/s3-bucket.js';
import type { S3Options } from './s3/s3-options.js';
import type { ServedStore, Store } from './store.js';

export { probeFolder as probeStore } from './disk/probe-folder.js';

/** What a store is opened with: a folder, or a bucket in which uploaders are named by ids. */
export type OpenOptions = Omit<OpenDiskOptions, 'storeDir'> &
  Pick<S3StoreOptions, 'isTried' | 'lifetimes'> &
  (
    | { readonly storeDir: string; readonly s3?: undefined; readonly uploaderIds?: UploaderIds }
    | { readonly storeDir?: undefined; readonly s3: S3Options; readonly uploaderIds: UploaderIds }
  );

/** A store, and warnings for the operator, a line each. */
interface OpenedStore {
  readonly store: ServedStore;
  readonly warnings: string[];
}

/**
 * Opens the configured store, makes its folder if that is missing, and removes what dead processes left in it.
 * Throws `STORE_UNUSABLE` with the key, what was found and what is expected.
 */
export async function openStore(options: OpenOptions): Promise<OpenedStore> {
  if (options.s3 === undefined) return openDiskStore(options);
  const { openS3Store } = await import('./s3/open-s3-store.js');
  return openS3Store(options);
}

/** Opens the configured store to read it only: changes and tries nothing. Throws `STORE_UNUSABLE` if it does not exist. */
export async function readStore(options: OpenOptions): Promise<Pick<Store, 'list'>> {
  if (options.s3 === undefined) return readDiskStore(options);
  const { makeS3Store } = await import('./s3/open-s3-store.js');
  return makeS3Store(options);
}

/** Who signs uploads that clients send to the bucket by themselves; nothing is tried yet. */
export async function openUploadSigner(options: {
  readonly s3: S3Options;
  readonly stallTimeoutMs: number;
}): Promise<Pick<S3Bucket, 'signPut'>> {
  const { openBucket } = await import('./s3/open-s3-store.js');
  return openBucket(options);
}

export type { Asked, CORSRule, LifecycleRule } from './s3/inspect-bucket.js';
export type { S3Options };
export { type MadeOwnership, type Ownership, probeModes };

/** The bucket's own URL with a slash at its end; an object's key follows it. */
export async function bucketUrl(s3: S3Options): Promise<string> {
  const { bucketUrl: urlOf } = await import('./s3/inspect-bucket.js');
  return urlOf(s3);
}

/** Opens a bucket to look at its settings, its objects, and its answers to requests without a key. Tries nothing yet. */
export async function inspectBucket(options: Pick<S3StoreOptions, 's3' | 'stallTimeoutMs'>) {
  const [{ BucketInspector, getAnonymously, putAnonymously }, { openBucket }] = await Promise.all([
    import('./s3/inspect-bucket.js'),
    import('./s3/open-s3-store.js'),
  ]);
  const { s3 } = options;
  const [url, settings, objects] = [await bucketUrl(s3), new BucketInspector(s3), openBucket(options)];
  return { s3, url, settings, objects, getAnonymously, putAnonymously };
}

/** A bucket that `inspectBucket` opened. */
export type InspectedBucket = Awaited<ReturnType<typeof inspectBucket>>;
