import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { FilerError } from '../../errors.js';
import { getAnonymously } from '../../storage/s3/inspect-bucket.js';
import type { S3Options } from '../../storage/s3/s3-options.js';
import type { Store, StoredUpload } from '../../storage/store.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { Check } from './check.js';

const body = Buffer.from('<p>prosody-filer check-config</p>\n');
const contentType = 'text/html';
const responseHeaders = { contentType, contentDisposition: 'attachment', cacheControl: 'no-store' };

async function bytesOf(upload: StoredUpload): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), upload.writeTo(sink)]);
  return bytes;
}

async function checkContent(upload: StoredUpload, uploader: string, name: string): Promise<Check> {
  const isSame = (await bytesOf(upload)).equals(body);
  if (isSame && upload.contentType === contentType && upload.uploader === uploader) {
    return { verdict: 'ok', message: `s3: the bucket ${name} takes, gives and deletes uploads with this key` };
  }
  const lost = isSame ? 'its Content-Type or metadata' : 'its bytes';
  const message = `s3: an upload came back without ${lost}: something between changes requests, or the service is no S3`;
  return { verdict: 'problem', message };
}

async function checkPrivate(url: string): Promise<Check> {
  const { status } = await getAnonymously(url);
  if (status !== 200) return { verdict: 'ok', message: `s3: without the key an upload in the bucket is ${status}` };
  const change = 'block public access, or set download = "public" with a baseDomain if it is meant';
  const message = `s3: anybody can fetch uploads from the bucket, past expiry and safe headers: ${change}`;
  return { verdict: 'problem', message };
}

/** What is wrong with what anybody gets there; `undefined`: nothing. */
async function findPublicProblem(url: string): Promise<string | undefined> {
  try {
    const answer = await getAnonymously(url);
    if (answer.status !== 200) return `is ${answer.status} in place of 200`;
    return answer.body.equals(body) ? undefined : 'is something else';
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    return `cannot be had, ${error.message}`;
  }
}

async function checkPublic(url: string): Promise<Check> {
  const found = await findPublicProblem(url);
  if (found === undefined) {
    return { verdict: 'ok', message: `s3.baseDomain: an upload is there, at ${new URL(url).origin}` };
  }
  const change = 'have it lead to the bucket (without path), whose objects anybody may read (s3:GetObject)';
  return { verdict: 'problem', message: `s3.baseDomain: an upload at ${url} ${found}: ${change}` };
}

async function checkAccess(s3: S3Options, url: string, key: UploadKey, upload: StoredUpload): Promise<Check> {
  const location = s3.download === 'public' ? await upload.locate?.(responseHeaders, undefined) : undefined;
  return location === undefined ? checkPrivate(`${url}${s3.path}${key}`) : checkPublic(location);
}

/** Uploads a few bytes of an uploader with this id to the bucket at this URL, looks at them with and without the key, and removes them. Throws a FilerError. */
export async function checkProbe(store: Store, s3: S3Options, url: string, uploader: string): Promise<Check[]> {
  const key = `check-config-${randomUUID()}/probe.html` as UploadKey;
  await store.put(key, { size: body.length, contentType, uploader, openBody: () => Readable.from([body]) });
  try {
    const upload = await store.open(key);
    if (upload === undefined) throw new FilerError('STORE_FAILED', 'what was just stored is not there');
    return [await checkContent(upload, uploader, s3.bucket), await checkAccess(s3, url, key, upload)];
  } finally {
    await store.delete(key);
  }
}
