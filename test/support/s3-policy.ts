import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { readmeBlock } from './readme.js';

/** A policy of the README that contains a text, for the bucket, and for this user of Ceph where it names nobody. */
export function readmePolicy(containing: string, bucket: string, user?: string): PutBucketPolicyCommand {
  const { Version, Statement } = JSON.parse(readmeBlock('json', containing).replaceAll('example-uploads', bucket));
  const principal = user === undefined ? {} : { Principal: { AWS: [`arn:aws:iam:::user/${user}`] } };
  const Policy = JSON.stringify({ Version, Statement: Statement.map((entry: object) => ({ ...principal, ...entry })) });
  return new PutBucketPolicyCommand({ Bucket: bucket, Policy });
}
