import type { JSONSchemaType } from 'ajv';
import type { S3Options } from '../storage/s3/s3-options.js';
import { requireSecret } from './secret-file.js';
import { SettingProblem } from './setting-problem.js';
import { settingTypes } from './setting-types.js';

/** The table `[s3]`. */
export interface S3Settings {
  region: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  secretAccessKeyFile?: string;
  endpointUrl?: string;
  bucket: string;
  path: string;
  forcePathStyle: boolean;
  download: S3Options['download'];
  baseDomain?: string;
}

const { text, flag, secret, secretFile } = settingTypes;

/** The table's JSON Schema. */
export const s3Schema: JSONSchemaType<S3Settings> = {
  type: 'object',
  additionalProperties: false,
  required: ['bucket'],
  description: 'a table [s3]',
  properties: {
    region: {
      type: 'string',
      // The SDK takes what can be a part of a host name.
      pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      default: 'auto',
      description: 'the region of the bucket, such as "eu-central-1", or "auto"',
    },
    accessKeyId: {
      type: 'string',
      pattern: '^[!-~]+$',
      nullable: true,
      description: 'the id of an access key, not empty',
    },
    secretAccessKey: { ...secret, nullable: true, description: 'the secret of the access key, not empty' },
    secretAccessKeyFile: { ...secretFile, nullable: true },
    endpointUrl: {
      type: 'string',
      pattern: '^https?://[^/?#@]+(/[^?#]*)?$',
      format: 'url',
      nullable: true,
      description: 'the URL of the S3 service, such as "https://s3.example.org"',
    },
    bucket: { ...text, pattern: '^[\\w.-]{3,255}$', description: 'the name of a bucket' },
    path: {
      type: 'string',
      pattern: '^/?((?!\\.{1,2}(/|$))[\\w.~-]+(/|$))*$',
      default: '',
      description: 'what the keys in the bucket begin with, such as "uploads/", or nothing',
    },
    forcePathStyle: { ...flag, default: false },
    download: {
      type: 'string',
      enum: ['proxy', 'redirect', 'public'],
      default: 'proxy',
      description: '"proxy", "redirect" or "public"',
    },
    baseDomain: {
      ...text,
      pattern: '^(https?://)?[\\w.[\\]:-]+(/[\\w.~-]+)*/?$',
      nullable: true,
      description: 'the domain under which anybody can fetch uploads, such as "files.example-cdn.org"',
    },
  },
};

function credentialsOf({ accessKeyId, secretAccessKey, secretAccessKeyFile }: S3Settings): S3Options['credentials'] {
  if (accessKeyId !== undefined) {
    return { accessKeyId, secretAccessKey: requireSecret('s3.secretAccessKey', secretAccessKey, secretAccessKeyFile) };
  }
  if (secretAccessKey === undefined && secretAccessKeyFile === undefined) return undefined;
  throw new SettingProblem('s3.accessKeyId: expected the id of the access key whose secret is set, got nothing');
}

/** The bucket that the table describes. Throws a SettingProblem. */
export function s3Options(settings: S3Settings): S3Options {
  const { region, endpointUrl, bucket, path, forcePathStyle, download, baseDomain } = settings;
  if (region === 'auto' && endpointUrl === undefined) {
    throw new SettingProblem(
      's3.region: expected the region of the bucket, such as "eu-central-1", since no endpointUrl says where it is',
    );
  }
  if (download === 'public' && baseDomain === undefined) {
    throw new SettingProblem('s3.baseDomain: expected the domain of the uploads, since download is "public"');
  }
  const publicUrl = baseDomain?.replace(/^(?!https?:)/, 'https://').replace(/\/?$/, '/');
  if (publicUrl !== undefined && !URL.canParse(publicUrl)) {
    throw new SettingProblem(
      `s3.baseDomain: expected ${s3Schema.properties.baseDomain.description}, got '${baseDomain}'`,
    );
  }
  return {
    region,
    endpointUrl,
    bucket,
    path: path.replace(/^\//, '').replace(/([^/])$/, '$1/'),
    credentials: credentialsOf(settings),
    forcePathStyle,
    download,
    publicUrl,
  };
}
