import { FilerError } from '../../errors.js';
import type { ServedStore } from '../store.js';
import { S3Bucket } from './s3-bucket.js';
import type { S3Options } from './s3-options.js';
import { S3Store, type S3StoreSettings } from './s3-store.js';

const notExclusive =
  's3: this service does not support If-None-Match: of two uploads to one slot at the same moment, one may replace the other';

/** How a store in a bucket is opened. */
export interface S3StoreOptions extends S3StoreSettings {
  readonly s3: S3Options;
  /** How long a transfer may move no byte, ms. */
  readonly stallTimeoutMs: number;
  /** Whether another process has just tried the bucket; then it is not tried again. */
  readonly isTried?: boolean;
}

/** Tries whether the bucket takes uploads; resolves to warnings for the operator. Throws `STORE_UNUSABLE` if it does not. */
async function probe(bucket: S3Bucket, name: string): Promise<string[]> {
  try {
    return (await bucket.isExclusive()) ? [] : [notExclusive];
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    if (error.code === 'STORE_BUSY')
      return [`s3: the bucket cannot be used now, uploads are 503 until it can: ${error.message}`];
    if (error.code === 'STORE_FULL')
      return [`s3: the bucket is full, uploads are 507 until there is room: ${error.message}`];
    const expected = `expected the bucket ${name} to take uploads with this key`;
    throw new FilerError('STORE_UNUSABLE', `s3: ${expected}, ${error.message}`, { cause: error });
  }
}

/** The bucket; nothing is tried yet. */
export function openBucket({ s3, stallTimeoutMs }: Pick<S3StoreOptions, 's3' | 'stallTimeoutMs'>): S3Bucket {
  return new S3Bucket(s3, stallTimeoutMs);
}

/** The store in a bucket; nothing is tried yet. */
export function makeS3Store(options: S3StoreOptions, bucket = openBucket(options)): ServedStore {
  return new S3Store(bucket, options.s3, options);
}

/**
 * Opens the store in a bucket, even if the service cannot be reached now; resolves to the store and warnings for the operator.
 * Throws `STORE_UNUSABLE` if the service refuses.
 */
export async function openS3Store(options: S3StoreOptions): Promise<{ store: ServedStore; warnings: string[] }> {
  const bucket = openBucket(options);
  const warnings = options.isTried === true ? [] : await probe(bucket, options.s3.bucket);
  return { store: makeS3Store(options, bucket), warnings };
}
