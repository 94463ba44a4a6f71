import { type Program, type Settings, startProgram } from './program.js';
import { pathInBucket, type S3Access, type S3Service } from './s3-service.js';
import type { Teardown } from './temp-dir.js';

/** A bucket as a table of config.toml describes it. */
function s3Table(service: S3Access, bucket: string) {
  const { endpoint: endpointUrl, accessKeyId, secretAccessKey } = service;
  return { bucket, endpointUrl, accessKeyId, secretAccessKey, path: pathInBucket, forcePathStyle: true };
}

/** A program that stores its uploads in a bucket. */
export interface S3Program extends Program {
  readonly bucket: string;
  /** The keys in the bucket without their common prefix, sorted. */
  contents(): Promise<string[]>;
}

/** Starts the program on a bucket, a new one unless it is named. */
export async function startOnBucket(
  t: Teardown,
  service: S3Service,
  { s3, ...settings }: Settings & { readonly s3?: Readonly<Record<string, string | undefined>> } = {},
  command: readonly string[] = [],
): Promise<S3Program> {
  const bucket = s3?.['bucket'] ?? (await service.createBucket());
  const program = await startProgram(t, { ...settings, s3: { ...s3Table(service, bucket), ...s3 } }, command);
  const contents = async () => (await service.keysIn(bucket)).map((name) => name.slice(pathInBucket.length)).sort();
  return { ...program, bucket, contents };
}
