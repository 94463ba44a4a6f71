/*
 * The requests to one bucket. The SDK tries requests that change nothing up to three times. A PUT or DELETE is tried once: the
 * first try may have succeeded although its answer was lost, and the body of a PUT cannot be sent again.
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

/** Headers and metadata of an object, and conditions for its PUT. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  'ContentType' | 'ContentDisposition' | 'CacheControl' | 'Expires' | 'Metadata' | 'IfMatch' | 'IfNoneMatch'
>;

type SigningOptions = Parameters<typeof getSignedUrl>[2];

/** One version of an object. */
export interface ObjectVersion {
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

function replaced(cause?: unknown): FilerError {
  return new FilerError('UPLOAD_REPLACED', 'S3 GET: the upload was deleted or replaced meanwhile', { cause });
}

/** Whether the service says that the object is gone or was replaced. */
function isAbsent(error: unknown): boolean {
  return [404, 412].includes(statusOf(error) ?? 0);
}

/** A bucket, or the part of it below a path. Each method throws what `describeS3Error` makes of a failure. */
export class S3Bucket {
  readonly #options: S3Options;
  readonly #retrying: S3Client;
  readonly #once: S3Client;
  #exclusive: Promise<boolean> | undefined;

  /** A transfer may move no byte for `stallMs`. */
  constructor(options: S3Options, stallMs: number) {
    this.#options = options;
    // A client that stalls is noticed first, since its error says more than the service's.
    const common = clientConfig(options, stallMs + answerMs);
    this.#retrying = new S3Client({ ...common, maxAttempts: 3 });
    this.#once = new S3Client({ ...common, maxAttempts: 1 });
  }

  /** Headers and metadata of an object; `undefined` if it does not exist. */
  async head(name: string): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#retrying.send(new HeadObjectCommand(this.#place(name)), this.#soon());
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw describeS3Error('HEAD', error);
    }
  }

  /** Whether the service supports If-None-Match, by which a PUT replaces nothing. Tried once, with an object of its own. */
  isExclusive(): Promise<boolean> {
    this.#exclusive ??= this.#tryExclusive().catch((error: unknown) => {
      this.#exclusive = undefined;
      throw error;
    });
    return this.#exclusive;
  }

  /** Writes a small object. */
  async write(name: string, body: Buffer, headers: ObjectHeaders): Promise<void> {
    await this.#put(name, body, body.length, headers, AbortSignal.timeout(answerMs));
  }

  /** Writes an object from a stream of exactly `size` bytes; the signal aborts it. */
  async writeStream(name: string, body: Readable, size: number, headers: ObjectHeaders, signal: AbortSignal) {
    await this.#put(name, body, size, headers, signal);
  }

  /**
   * Begins to read a part of this version of an object. Throws `UPLOAD_REPLACED` if the object is gone or was replaced.
   */
  async read(name: string, { etag, size }: ObjectVersion, { first, last }: ByteRange): Promise<Readable> {
    const length = last - first + 1;
    const part = length === size ? {} : { Range: `bytes=${first}-${last}` };
    const command = new GetObjectCommand({ ...this.#place(name), IfMatch: etag, ...part });
    // Limits the time until the answer begins. Its bytes may take longer, as long as they move.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), answerMs);
    try {
      const { Body, ETag = etag, ContentLength } = await this.#retrying.send(command, { abortSignal: late.signal });
      if (!(Body instanceof Readable)) throw new FilerError('STORE_FAILED', 'S3 GET: the answer has no body');
      if (ETag === etag && ContentLength === length) return Body;
      // A service without If-Match or Range has sent something else.
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

  /** Removes an object, if there is one. Tried once: at a second try, another object might have its name. */
  async remove(name: string): Promise<void> {
    try {
      await this.#once.send(new DeleteObjectCommand(this.#place(name)), this.#soon());
    } catch (error) {
      throw describeS3Error('DELETE', error);
    }
  }

  /** Lists the objects whose names begin so, in the order of their bytes. Reports those whose names cannot be read. */
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

  /** A URL by which anybody can GET the object for so many seconds, with these headers. */
  signGet(name: string, headers: ResponseHeaders, seconds: number): Promise<string> {
    const command = new GetObjectCommand({
      ...this.#place(name),
      ResponseContentType: headers.contentType,
      ResponseContentDisposition: headers.contentDisposition ?? 'inline',
      ResponseCacheControl: headers.cacheControl,
    });
    return this.#sign(command, { expiresIn: seconds });
  }

  /** A URL by which anybody can PUT so many bytes for so many seconds, only of this type if one is given. */
  signPut(name: string, size: number, contentType: string | undefined, seconds: number): Promise<string> {
    const type = contentType === undefined ? {} : { ContentType: contentType };
    const command = new PutObjectCommand({ ...this.#place(name), ContentLength: size, ...type });
    // The SDK adds a type if none is given. If that were signed, clients could send no other type.
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
      // Otherwise the listing would never end, or end too early and miss uploads.
      if (page.IsTruncated === true && (next === undefined || next === token)) {
        throw new FilerError('STORE_FAILED', 'S3 LIST: the service does not say where the next page begins');
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
