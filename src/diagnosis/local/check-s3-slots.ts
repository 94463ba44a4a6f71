/*
 * A signed URL binds the headers that were signed. AWS refuses any other `x-amz-*` header. Other services obey it with the
 * rights of the key that signed: a PUT then copies another object, or makes its own object public. So each is tried.
 */
import { randomUUID } from 'node:crypto';
import type { InspectedBucket, S3Options } from '../../storage/open-store.js';
import type { Verdict } from '../finding.js';

const source = Buffer.from('what no slot should copy\n');
const sent = Buffer.from('-');
const validSeconds = 60;

const copyKeys = ['s3:x-amz-copy-source'];
const aclKeys = ['acl', 'grant-read', 'grant-read-acp', 'grant-write-acp', 'grant-full-control'].map(
  (name) => `s3:x-amz-${name}`,
);

/** A bucket policy that refuses PUTs with such headers. To Ceph an absent header is an empty one, so `Null` would refuse all. */
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

function judge(copies: boolean, publishes: boolean, s3: S3Options): Verdict {
  if (!copies && !publishes) {
    return 'The bucket accepts a PUT to a slot. Its headers can neither copy other objects nor make the upload public.';
  }
  const deeds = [
    ...(copies ? ['have the service copy any object that this key may read (x-amz-copy-source)'] : []),
    ...(publishes ? ['let anybody read the upload, also once it has expired (x-amz-acl)'] : []),
  ];
  const key = copies ? ', and use a key that reaches this bucket only' : '';
  return {
    outcome: copies ? 'problem' : 'warning',
    found: `Whoever has a slot can ${deeds.join(', and ')}.`,
    change: `Add this to the policy of the bucket${key}. Or set upload = "filer" in [component].`,
    paste: policyAgainst([...(copies ? copyKeys : []), ...(publishes ? aclKeys : [])], s3),
  };
}

/** Whether the service accepts a PUT to a slot, and refuses its headers that were not signed. Leaves nothing. Throws a FilerError. */
export async function checkSlots({
  s3,
  url,
  objects,
  getAnonymously,
  putAnonymously,
}: InspectedBucket): Promise<Verdict> {
  const folder = `check-config-${randomUUID()}`;
  const [secret, slot] = [`${folder}/source`, `${folder}/slot`] as const;
  const isPublic = async () => (await getAnonymously(`${url}${s3.path}${slot}`)).status === 200;
  const putUrl = await objects.signPut(slot, sent.length, undefined, validSeconds);
  try {
    const status = await putAnonymously(putUrl, sent);
    if (status >= 300) {
      const change =
        'Let proxies in front of the service pass on path and query unchanged, or set upload = "filer" in [component].';
      return { found: `A PUT to a slot is ${status} in place of 200, so clients cannot upload.`, change };
    }
    // Where all uploads are public, the header adds nothing.
    const mayPublish = !(await isPublic());
    await putAnonymously(putUrl, sent, { 'x-amz-acl': 'public-read' });
    const publishes = mayPublish && (await isPublic());
    await objects.write(secret, source, {});
    await putAnonymously(putUrl, sent, { 'x-amz-copy-source': `/${s3.bucket}/${s3.path}${secret}` });
    const copies = (await objects.head(slot))?.ContentLength === source.length;
    return judge(copies, publishes, s3);
  } finally {
    await objects.remove(secret);
    await objects.remove(slot);
  }
}
