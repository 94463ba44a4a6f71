/*
 * The requests to one bucket. Those that change nothing are tried three times, by the SDK. A PUT or DELETE is tried once: the
 * first try may have succeeded without an answer, and the body of a PUT is gone by then.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { FilerError } from '../../errors.js';
import { reservedFolder } from '../../upload/upload-key.js';
import type { ByteRange, ReportUnreadable, ResponseHeaders } from '../store.js';
import { clientConfig } from './s3-client.js';
import { answerMs, describeS3Error, statusOf } from './s3-errors.js';
import { type ListedObject, toListedObject } from './s3-listed-object.js';
import type { S3Options } from './s3-options.js';

/** What is written beside the bytes of an object. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  'ContentType' | 'ContentDisposition' | 'CacheControl' | 'Expires' | 'Metadata' | 'IfMatch' | 'IfNoneMatch'
>;

type SigningOptions = Parameters<typeof getSignedUrl>[2];

/** An object as it was when its facts were read. */
export interface ObjectVersion {
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

function replaced(cause?: unknown): FilerError {
  return new FilerError('UPLOAD_REPLACED', 'S3 GET: the upload was deleted or replaced meanwhile', { cause });
}

/** Whether an answer says that the object is gone or is another one. */
function isAbsent(error: unknown): boolean {
  return [404, 412].includes(statusOf(error) ?? 0);
}

/** A bucket, or the part of it below a path. Every method throws what `describeS3Error` makes of a failure. */
export class S3Bucket {
  readonly #options: S3Options;
  readonly #retrying: S3Client;
  readonly #once: S3Client;
  #exclusive: Promise<boolean> | undefined;

  /** `stallMs` is how long a transfer may move no byte. */
  constructor(options: S3Options, stallMs: number) {
    this.#options = options;
    // Later than the client's connection, whose end says more.
    const common = clientConfig(options, stallMs + answerMs);
    this.#retrying = new S3Client({ ...common, maxAttempts: 3 });
    this.#once = new S3Client({ ...common, maxAttempts: 1 });
  }

  /** What is known of an object, `undefined` where there is none. */
  async head(name: string): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#retrying.send(new HeadObjectCommand(this.#place(name)), this.#soon());
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw describeS3Error('HEAD', error);
    }
  }

  /** Whether a PUT can be told not to replace an object; services differ. Tried once, with an object of its own. */
  isExclusive(): Promise<boolean> {
    this.#exclusive ??= this.#tryExclusive().catch((error: unknown) => {
      this.#exclusive = undefined;
      throw error;
    });
    return this.#exclusive;
  }

  /** Writes an object of few bytes. */
  async write(name: string, body: Buffer, headers: ObjectHeaders): Promise<void> {
    await this.#put(name, body, body.length, headers, AbortSignal.timeout(answerMs));
  }

  /** Writes an object from a stream of exactly so many bytes, until the signal aborts it. */
  async writeStream(name: string, body: Readable, size: number, headers: ObjectHeaders, signal: AbortSignal) {
    await this.#put(name, body, size, headers, signal);
  }

  /**
   * Begins to read a part of the object that has this entity tag and size. Throws `UPLOAD_REPLACED` where it is gone or
   * another one is there.
   */
  async read(name: string, { etag, size }: ObjectVersion, { first, last }: ByteRange): Promise<Readable> {
    const length = last - first + 1;
    const part = length === size ? {} : { Range: `bytes=${first}-${last}` };
    const command = new GetObjectCommand({ ...this.#place(name), IfMatch: etag, ...part });
    // Until the answer begins; its bytes may take as long as they move.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), answerMs);
    try {
      const { Body, ETag = etag, ContentLength } = await this.#retrying.send(command, { abortSignal: late.signal });
      if (!(Body instanceof Readable)) throw new FilerError('STORE_FAILED', 'S3 GET: the answer has no body');
      if (ETag === etag && ContentLength === length) return Body;
      // Services that know no If-Match or no Range send something else.
      Body.destroy();
      throw ETag === etag
        ? new FilerError('STORE_FAILED', `S3 GET: the answer has ${ContentLength} bytes in place of ${length}`)
        : replaced();
    } catch (error) {
      throw isAbsent(error) ? replaced(error) : describeS3Error('GET', error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Removes an object, if there is one. Tried once: by a second time another object may have its name. */
  async remove(name: string): Promise<void> {
    try {
      await this.#once.send(new DeleteObjectCommand(this.#place(name)), this.#soon());
    } catch (error) {
      throw describeS3Error('DELETE', error);
    }
  }

  /** The objects whose names begin so, in the order of their bytes; those whose names cannot be read are reported. */
  async *list(beginning = '', report: ReportUnreadable = () => undefined): AsyncGenerator<ListedObject> {
    const { path } = this.#options;
    for await (const { Contents = [], EncodingType } of this.#pages(beginning)) {
      for (const entry of Contents) {
        const object = toListedObject(entry, EncodingType, path);
        if (object !== undefined) yield object;
        else report({ path: entry.Key?.slice(path.length) ?? '', reason: 'its name is not UTF-8' });
      }
    }
  }

  /** A URL by which anybody gets the object for so many seconds, with these headers. */
  signGet(name: string, headers: ResponseHeaders, seconds: number): Promise<string> {
    const command = new GetObjectCommand({
      ...this.#place(name),
      ResponseContentType: headers.contentType,
      ResponseContentDisposition: headers.contentDisposition ?? 'inline',
      ResponseCacheControl: headers.cacheControl,
    });
    return this.#sign(command, { expiresIn: seconds });
  }

  /** A URL by which anybody can PUT so many bytes for so many seconds, of that type if one is given. */
  signPut(name: string, size: number, contentType: string | undefined, seconds: number): Promise<string> {
    const type = contentType === undefined ? {} : { ContentType: contentType };
    const command = new PutObjectCommand({ ...this.#place(name), ContentLength: size, ...type });
    // The SDK puts a type in where none is given: signed, it would bind clients to that one.
    const signableHeaders = new Set(['host', 'content-length', ...(contentType === undefined ? [] : ['content-type'])]);
    return this.#sign(command, { expiresIn: seconds, signableHeaders });
  }

  async *#pages(beginning: string): AsyncGenerator<ListObjectsV2CommandOutput> {
    const { bucket, path } = this.#options;
    const wanted = { Bucket: bucket, Prefix: path + beginning, EncodingType: 'url' } as const;
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({ ...wanted, ContinuationToken: token });
      const page = await this.#retrying.send(command, this.#soon()).catch((error: unknown) => {
        throw describeS3Error('LIST', error);
      });
      yield page;
      const next = page.NextContinuationToken;
      // It would never end, or end too early and count too little.
      if (page.IsTruncated === true && (next === undefined || next === token)) {
        throw new FilerError('STORE_FAILED', 'S3 LIST: the service does not tell where the next page begins');
      }
      token = page.IsTruncated === true ? next : undefined;
    } while (token !== undefined);
  }

  async #sign(command: GetObjectCommand | PutObjectCommand, options: SigningOptions): Promise<string> {
    try {
      return await getSignedUrl(this.#once, command, options);
    } catch (error) {
      throw describeS3Error('signature', error);
    }
  }

  async #tryExclusive(): Promise<boolean> {
    const name = `${reservedFolder}/probe-${randomUUID()}`;
    const empty = Buffer.alloc(0);
    await this.write(name, empty, {});
    try {
      await this.write(name, empty, { IfNoneMatch: '*' });
      return false;
    } catch (error) {
      if (!(error instanceof FilerError)) throw error;
      if (error.code === 'STORE_REFUSED') return false;
      if (error.code === 'KEY_TAKEN') return true;
      throw error;
    } finally {
      await this.remove(name);
    }
  }

  async #put(name: string, body: Buffer | Readable, size: number, headers: ObjectHeaders, abortSignal: AbortSignal) {
    const command = new PutObjectCommand({ ...this.#place(name), ...headers, Body: body, ContentLength: size });
    try {
      await this.#once.send(command, { abortSignal });
    } catch (error) {
      throw describeS3Error('PUT', error);
    }
  }

  #place(name: string): { readonly Bucket: string; readonly Key: string } {
    const { bucket, path } = this.#options;
    return { Bucket: bucket, Key: path + name };
  }

  #soon(): { readonly abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(answerMs) };
  }
}
