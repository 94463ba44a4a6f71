/** A bucket of an S3-compatible store, and how what lies in it is fetched. */
export interface S3Options {
  /** Such as `eu-central-1`, or `auto`. */
  readonly region: string;
  /** The service's URL; `undefined`: that of AWS for the region. */
  readonly endpointUrl: string | undefined;
  readonly bucket: string;
  /** What all keys in the bucket begin with: nothing, or a path with a slash at its end only. */
  readonly path: string;
  /** `undefined`: as the AWS SDK finds them by itself, in the environment, in a file or from the machine. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  /** Whether the bucket stands in the URL's path and not in its host name. */
  readonly forcePathStyle: boolean;
  /** `proxy`: through this program; `redirect`: by a signed URL; `public`: below `publicUrl`. */
  readonly download: 'proxy' | 'redirect' | 'public';
  /** Where anybody can fetch what lies in the bucket, with a slash at its end, without `path`. */
  readonly publicUrl: string | undefined;
}
