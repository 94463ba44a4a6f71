import type { S3Options } from '../../storage/open-store.js';

/** A command of the AWS command-line program for the bucket. */
export function awsCommand({ bucket, endpointUrl }: S3Options, operation: string): string {
  const endpoint = endpointUrl === undefined ? '' : ` --endpoint-url ${endpointUrl}`;
  return `aws s3api ${operation} --bucket ${bucket}${endpoint}`;
}
