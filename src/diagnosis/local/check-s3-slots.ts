/*
 * A presigned URL binds the headers that were signed. AWS refuses any other `x-amz-*` header; other services obey it with the
 * rights of the key that signed: a PUT becomes a copy of another object, or its object everybody's. So each is tried.
 */
import { randomUUID } from 'node:crypto';
import { getAnonymously, putAnonymously } from '../../storage/s3/inspect-bucket.js';
import type { S3Bucket } from '../../storage/s3/s3-bucket.js';
import type { S3Options } from '../../storage/s3/s3-options.js';
import type { Check } from './check.js';

const source = Buffer.from('what no slot should copy\n');
const sent = Buffer.from('-');
const validSeconds = 60;
const refusal = 'have what stands in front of the service pass on path and query, or set component.upload = "filer"';

const copyKeys = ['s3:x-amz-copy-source'];
const aclKeys = ['acl', 'grant-read', 'grant-read-acp', 'grant-write-acp', 'grant-full-control'].map(
  (name) => `s3:x-amz-${name}`,
);

/** What in a bucket's policy refuses PUTs with such headers. Ceph takes the absent ones for empty, so `Null` would refuse all. */
function policyAgainst(keys: readonly string[], { bucket, path }: S3Options): string {
  const Statement = keys.map((key) => ({
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::${bucket}/${path}*`,
    Condition: { StringLike: { [key]: '?*' } },
  }));
  return JSON.stringify({ Version: '2012-10-17', Statement }, undefined, 2);
}

async function isPublic(url: string): Promise<boolean> {
  return (await getAnonymously(url)).status === 200;
}

function judge(copies: boolean, publishes: boolean, s3: S3Options): Check {
  if (!copies && !publishes) {
    return { verdict: 'ok', message: 's3: a PUT to a slot is taken, and can neither copy nor publish by its headers' };
  }
  const deeds = [
    ...(copies ? ['have the service copy any object that this key may read (x-amz-copy-source)'] : []),
    ...(publishes ? ['let anybody read the upload, also once it has expired (x-amz-acl)'] : []),
  ];
  const change = `add this to the policy of the bucket${copies ? ', and use a key that reaches this bucket only' : ''}`;
  return {
    verdict: copies ? 'problem' : 'warning',
    message: `s3: whoever has a slot can ${deeds.join(', and ')}: ${change}, or set component.upload = "filer"`,
    paste: policyAgainst([...(copies ? copyKeys : []), ...(publishes ? aclKeys : [])], s3),
  };
}

/**
 * Whether the service takes a PUT to a slot, and none of its headers that were not signed; `url` is the bucket's own.
 * Leaves nothing. Throws a FilerError.
 */
export async function checkSlots(bucket: S3Bucket, s3: S3Options, url: string): Promise<Check> {
  const folder = `check-config-${randomUUID()}`;
  const [secret, slot] = [`${folder}/source`, `${folder}/slot`] as const;
  const putUrl = await bucket.signPut(slot, sent.length, undefined, validSeconds);
  try {
    const status = await putAnonymously(putUrl, sent);
    if (status >= 300)
      return { verdict: 'problem', message: `s3: a PUT to a slot is ${status} in place of 200: ${refusal}` };
    // Where all uploads are public, the header adds nothing.
    const mayPublish = !(await isPublic(`${url}${s3.path}${slot}`));
    await putAnonymously(putUrl, sent, { 'x-amz-acl': 'public-read' });
    const publishes = mayPublish && (await isPublic(`${url}${s3.path}${slot}`));
    await bucket.write(secret, source, {});
    await putAnonymously(putUrl, sent, { 'x-amz-copy-source': `/${s3.bucket}/${s3.path}${secret}` });
    const copies = (await bucket.head(slot))?.ContentLength === source.length;
    return judge(copies, publishes, s3);
  } finally {
    await bucket.remove(secret);
    await bucket.remove(slot);
  }
}
