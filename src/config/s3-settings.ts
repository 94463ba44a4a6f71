import { SettingProblem } from './config-error.js';
import { choice, type TableOf, table } from './schema.js';
import { requireSecret } from './secret-file.js';
import { flag, formats, secret, secretFile, string, text } from './setting-types.js';

/** The table `[s3]`. */
export const s3Table = {
  ...table({
    bucket: text('Name of the bucket. Use the bucket, or a `path` in it, for uploads only.', {
      example: 'uploads',
      pattern: '^[\\w.-]{3,255}$',
      expected: 'the name of a bucket',
    }),
    region: string('Region that requests are signed for. It is required without `endpointUrl`.', {
      default: 'auto',
      example: 'eu-central-1',
      // The SDK accepts what can be a part of a host name.
      pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      expected: 'the region of the bucket, such as "eu-central-1", or "auto"',
    }),
    endpointUrl: string('URL of the S3 service.', {
      unset: "AWS's own URL for the region",
      example: 'https://s3.example.org',
      pattern: '^https?://[^/?#@]+(/[^?#]*)?$',
      format: formats.url,
      expected: 'the URL of the S3 service, such as "https://s3.example.org"',
    }),
    accessKeyId: string('Id of the access key.', {
      unset: "the AWS SDK looks in the environment, in `~/.aws/credentials` and for the machine's role",
      example: 'AKIAIOSFODNN7EXAMPLE',
      pattern: '^[!-~]+$',
      expected: 'the id of an access key, not empty',
    }),
    secretAccessKey: secret(
      'Secret of the access key. Set this or `secretAccessKeyFile`, together with `accessKeyId`.',
      { unset: 'none', example: '...', expected: 'the secret of the access key, not empty' },
    ),
    secretAccessKeyFile: secretFile('File that holds the secret of the access key.', {
      unset: 'none',
      example: '/run/credentials/prosody-filer.service/s3',
    }),
    path: string('Text that all keys in the bucket begin with, such as `uploads/`.', {
      default: '',
      unset: 'none',
      example: 'uploads/',
      pattern: '^/?((?!\\.{1,2}(/|$))[\\w.~-]+(/|$))*$',
      expected: 'the path that all keys in the bucket begin with, such as "uploads/", or an empty text',
    }),
    forcePathStyle: flag(
      "If true, the bucket's name stands in the path of the URL, not in its host name. Most self-hosted services need this.",
      { default: false, example: true },
    ),
    download: choice(
      'proxy',
      'redirect',
      'public',
    )(
      'How recipients get the files. `"proxy"`: through prosody-filer. `"redirect"`: from the store, by a URL that is signed for 10 minutes. `"public"`: from `baseDomain`.',
      { default: 'proxy' },
    ),
    baseDomain: text(
      'Where anybody can fetch the uploads, such as a CDN: a domain, or a URL that leads to the bucket without `path`.',
      {
        unset: 'none',
        example: 'files.example-cdn.org',
        pattern: '^(https?://)?[\\w.[\\]:-]+(/[\\w.~-]+)*/?$',
        format: formats.domainOrUrl,
        expected: 'the domain under which anybody can fetch uploads, such as "files.example-cdn.org"',
      },
    ),
  }),
  isSecret: true,
  expected: 'a table [s3]',
} as const;

type S3Settings = TableOf<typeof s3Table.properties>;

function credentialsOf({ accessKeyId, secretAccessKey, secretAccessKeyFile }: S3Settings) {
  if (accessKeyId !== undefined) {
    return { accessKeyId, secretAccessKey: requireSecret('s3.secretAccessKey', secretAccessKey, secretAccessKeyFile) };
  }
  if (secretAccessKey === undefined && secretAccessKeyFile === undefined) return undefined;
  throw new SettingProblem('s3.accessKeyId: expected the id of the access key, because its secret is set');
}

/** The bucket that the table describes. Throws a SettingProblem. */
export function s3Options(settings: S3Settings) {
  const { region, endpointUrl, bucket, path, forcePathStyle, download, baseDomain } = settings;
  if (region === 'auto' && endpointUrl === undefined) {
    throw new SettingProblem(
      's3.region: expected the region of the bucket, such as "eu-central-1", because endpointUrl is not set',
    );
  }
  if (download === 'public' && baseDomain === undefined) {
    throw new SettingProblem('s3.baseDomain: expected the domain of the uploads, because download is "public"');
  }
  return {
    region,
    endpointUrl,
    bucket,
    path: path.replace(/^\//, '').replace(/([^/])$/, '$1/'),
    credentials: credentialsOf(settings),
    forcePathStyle,
    download,
    publicUrl: baseDomain?.replace(/^(?!https?:)/, 'https://').replace(/\/?$/, '/'),
  };
}

/** A bucket, as storage/ takes it. */
export type S3Config = ReturnType<typeof s3Options>;
