/** A bucket of an S3-compatible service, and how clients fetch uploads from it. */
export interface S3Options {
  /** For example `eu-central-1`, or `auto`. */
  readonly region: string;
  /** The URL of the service; `undefined`: that of AWS for the region. */
  readonly endpointUrl: string | undefined;
  readonly bucket: string;
  /** The beginning of all keys in the bucket: empty, or a path with a slash at its end only. */
  readonly path: string;
  /** `undefined`: the AWS SDK looks for them in the environment, in its files, and asks the machine. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Whether the bucket is in the URL's path and not in its host name. */
  readonly forcePathStyle: boolean;
  /** `proxy`: through this program; `redirect`: by a signed URL; `public`: below `publicUrl`. */
  readonly download: 'proxy' | 'redirect' | 'public';
  /** The URL by which anybody can fetch objects of the bucket, with a slash at its end, without `path`. */
  readonly publicUrl: string | undefined;
}
