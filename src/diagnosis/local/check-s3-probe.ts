import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { FilerError } from '../../errors.js';
import type { InspectedBucket } from '../../storage/open-store.js';
import type { Store, StoredUpload } from '../../storage/store.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { Verdict } from '../finding.js';

const body = Buffer.from('<p>prosody-filer check-config</p>\n');
const contentType = 'text/html';

async function bytesOf(upload: StoredUpload): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), upload.writeTo(sink)]);
  return bytes;
}

/** Uploads a few bytes of this uploader, calls with the key, and removes the upload. Throws a FilerError. */
async function withUpload<T>(store: Store, uploader: string, call: (key: UploadKey) => Promise<T>): Promise<T> {
  const key = `check-config-${randomUUID()}/probe.html` as UploadKey;
  await store.put(key, {
    size: body.length,
    contentType,
    uploader,
    openBody: () => Readable.from([Buffer.from(body)]),
  });
  try {
    return await call(key);
  } finally {
    await store.delete(key);
  }
}

/** Whether an upload of this uploader comes back from the bucket as it was stored. Throws a FilerError. */
export function checkContent(store: Store, uploader: string): Promise<Verdict> {
  return withUpload(store, uploader, async (key) => {
    const upload = await store.open(key);
    if (upload === undefined) throw new FilerError('STORE_FAILED', 'S3 HEAD: the bucket does not have the new upload');
    const isSame = (await bytesOf(upload)).equals(body);
    if (isSame && upload.contentType === contentType && upload.uploader === uploader) {
      return 'The bucket stores, returns and deletes uploads with this key.';
    }
    const lost = isSame ? 'another Content-Type or other metadata' : 'other bytes';
    return {
      found: `An upload came back with ${lost}: something in front of the bucket changes requests or answers.`,
      change: 'Set s3.endpointUrl to the URL of the S3 service itself.',
    };
  });
}

/** What anybody gets at the URL of an upload, in words. */
async function describePublic(url: string, { getAnonymously }: InspectedBucket): Promise<string> {
  try {
    const { status, body: bytes } = await getAnonymously(url);
    return status === 200 && !bytes.equals(body) ? 'another file' : String(status);
  } catch (error) {
    if (error instanceof FilerError) return error.message;
    throw error;
  }
}

/** Whether others can fetch an upload from the bucket if they should, and only then. Throws a FilerError. */
export function checkAccess(store: Store, uploader: string, bucket: InspectedBucket): Promise<Verdict> {
  const { s3, url: ownUrl, getAnonymously } = bucket;
  return withUpload(store, uploader, async (key) => {
    if (s3.download === 'public') {
      const url = `${s3.publicUrl}${s3.path}${key}`;
      const found = await describePublic(url, bucket);
      if (found === '200') return `Anybody can fetch uploads by s3.baseDomain, at ${new URL(url).origin}.`;
      return {
        found: `Clients cannot fetch uploads by s3.baseDomain. GET ${url}: ${found}`,
        change: 'Set s3.baseDomain to a URL that leads to the bucket, and let anybody read its objects (s3:GetObject).',
      };
    }
    const { status } = await getAnonymously(`${ownUrl}${s3.path}${key}`);
    if (status !== 200) return `An upload in the bucket is ${status} without the key.`;
    return {
      found: 'Anybody can fetch uploads from the bucket, also expired ones, and without the safe headers.',
      change: 'Block public access to the bucket. To make it public, set download = "public" and a baseDomain.',
    };
  });
}
