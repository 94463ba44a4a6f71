import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  NotFound,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import type { S3Options } from '../../src/storage/s3/s3-options.js';
import type { Teardown } from './temp-dir.js';

/** Where an S3 service is, and a user of it. */
export interface S3Access {
  /** An origin; buckets stand in the path. */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** An S3 service of its own with one user. */
export interface S3Service extends S3Access {
  /** Looks in from outside, as the user. */
  readonly client: S3Client;
  /** Resolves to the new bucket's name. */
  createBucket(name?: string): Promise<string>;
  keysIn(bucket: string): Promise<string[]>;
  /** Resolves to `undefined` if there is no such object. */
  headOf(bucket: string, key: string): Promise<HeadObjectCommandOutput | undefined>;
}

/** Looks inside a service that runs. */
export function lookInside(t: Teardown, access: S3Access): S3Service {
  const { endpoint, ...credentials } = access;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
  });
  t.after(() => client.destroy());
  return {
    ...access,
    client,
    createBucket: async (name = `bucket-${randomBytes(8).toString('hex')}`) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    keysIn: async (bucket) => {
      const keys: string[] = [];
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket })) {
        keys.push(...Contents.flatMap(({ Key }) => Key ?? []));
      }
      return keys;
    },
    headOf: async (bucket, key) => {
      try {
        return await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
  };
}

/** The prefix of all upload keys in the tests' buckets. */
export const pathInBucket = 'some/path/';

/** The bucket as `[s3]` describes it, with a path in it. */
export function optionsFor({ endpoint, accessKeyId, secretAccessKey }: S3Access, bucket: string): S3Options {
  return {
    region: 'us-east-1',
    endpointUrl: endpoint,
    bucket,
    path: pathInBucket,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    download: 'proxy',
    publicUrl: undefined,
  };
}
