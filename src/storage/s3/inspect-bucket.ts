/*
 * How a bucket is set up, and what it shows without a key. Uploads do not need any of this, and the policy of the key may not
 * allow these requests.
 */
import {
  type CORSRule,
  GetBucketCorsCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  type LifecycleRule,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { clientConfig } from './s3-client.js';
import { describeS3Error, statusOf } from './s3-errors.js';
import type { S3Options } from './s3-options.js';

export type { CORSRule, LifecycleRule };

/** The answer of the service, or why it refused one. */
export type Asked<T> = { readonly value: T } | { readonly refusal: string };

/** The answer to a request without a key. */
export interface AnonymousAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The time of the service, ms since the epoch; `undefined` where it tells no time. */
  readonly date: number | undefined;
}

const patienceMs = 10_000;

async function send(method: 'GET' | 'PUT', url: string, init: RequestInit = {}) {
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const answer = await fetch(url, { ...init, method, redirect: 'manual', signal });
    return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
  } catch (error) {
    throw describeS3Error(method, error instanceof TypeError ? error.cause : error);
  }
}

/** GETs a URL without a key, and follows no redirect. Throws what `describeS3Error` makes of a failure. */
export async function getAnonymously(url: string): Promise<AnonymousAnswer> {
  const { status, headers, body } = await send('GET', url);
  const date = Date.parse(headers.get('date') ?? '');
  return { status, body, date: Number.isNaN(date) ? undefined : date };
}

/** PUTs to a URL without a key; resolves to the status. Throws what `describeS3Error` makes of a failure. */
export async function putAnonymously(url: string, body: Buffer, headers: Readonly<Record<string, string>> = {}) {
  return (await send('PUT', url, { body, headers })).status;
}

/** The bucket's own URL with a slash at its end; an object's key follows it. */
export async function bucketUrl(options: S3Options): Promise<string> {
  // Only the URL's beginning counts, so any key will do.
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const client = new S3Client(clientConfig({ ...options, credentials }, patienceMs));
  const signed = new URL(await getSignedUrl(client, new GetObjectCommand({ Bucket: options.bucket, Key: 'k' })));
  return `${signed.origin}${signed.pathname.slice(0, -1)}`;
}

/** Asks how a bucket is set up. Every method throws what `describeS3Error` makes of a failure without an answer. */
export class BucketInspector {
  readonly #client: S3Client;
  readonly #bucket: { readonly Bucket: string };

  constructor(options: S3Options) {
    this.#client = new S3Client(clientConfig(options, patienceMs));
    this.#bucket = { Bucket: options.bucket };
  }

  /** The CORS rules: what pages of other sites may do. */
  corsRules(): Promise<Asked<readonly CORSRule[]>> {
    const command = new GetBucketCorsCommand(this.#bucket);
    return ask('GetBucketCors', [], async () => (await this.#client.send(command)).CORSRules ?? []);
  }

  /** The lifecycle rules: what the service deletes by itself. */
  lifecycleRules(): Promise<Asked<readonly LifecycleRule[]>> {
    const command = new GetBucketLifecycleConfigurationCommand(this.#bucket);
    return ask('GetLifecycleConfiguration', [], async () => (await this.#client.send(command)).Rules ?? []);
  }

  /** Whether deleted and replaced objects are kept as versions. */
  isVersioned(): Promise<Asked<boolean>> {
    const command = new GetBucketVersioningCommand(this.#bucket);
    return ask('GetBucketVersioning', false, async () => (await this.#client.send(command)).Status === 'Enabled');
  }
}

async function ask<T>(operation: string, nothing: T, question: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { value: await question() };
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) return { value: nothing };
    const described = describeS3Error(operation, error);
    // That may also be a service without this operation.
    if (status !== undefined) return { refusal: described.message };
    throw described;
  }
}
