import type { JSONSchemaType } from 'ajv';
import { type ComponentSettings, componentSchema } from './component-settings.js';
import { type S3Settings, s3Schema } from './s3-settings.js';
import { settingTypes } from './setting-types.js';

/** A table `[[retention]]`. */
export interface RetentionSetting {
  match?: string;
  contentType?: string;
  largerThan?: string;
  expiresAfter: string;
}

/** The configuration file's keys, as an operator writes them. */
export interface Settings {
  listenPort: string;
  unixSocket: boolean;
  unixSocketMode: string;
  metricsListen?: string;
  secret?: string;
  secrets?: string[];
  secretFile?: string;
  deleteSecret?: string;
  storeDir?: string;
  uploadSubDir: string;
  maxFileSize?: string;
  maxUploads: number;
  workers: number;
  minFreeSpace?: string;
  maxStoreSize?: string;
  whenFull: 'refuse' | 'evict';
  evictMinAge: string;
  userQuota?: string;
  dailyQuota?: string;
  sweepInterval: string;
  expiresAfter?: string;
  replayWindow: string;
  retention: RetentionSetting[];
  s3?: S3Settings;
  component?: ComponentSettings;
  trustProxy: string[];
  strictContentType: boolean;
  durability: 'sync' | 'none';
  fileMode?: string;
  dirMode?: string;
  accelRedirect?: string;
  cors: boolean;
  stallTimeout: string;
  shutdownTimeout: string;
  logLevel: string;
  logFormat: 'auto' | 'json' | 'pretty';
}

const { text, flag, size, duration, timeout, mode, proxy, secret, secretFile } = settingTypes;

const levels = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'];

const retentionRule: JSONSchemaType<RetentionSetting> = {
  type: 'object',
  additionalProperties: false,
  required: ['expiresAfter'],
  anyOf: [{ required: ['match'] }, { required: ['contentType'] }, { required: ['largerThan'] }],
  description: 'a table with expiresAfter and at least one of match, contentType and largerThan',
  properties: {
    match: { ...text, nullable: true, description: 'a pattern for file names such as "story_*"' },
    contentType: { ...text, nullable: true, description: 'a pattern for content types such as "video/*"' },
    largerThan: { ...size, nullable: true },
    expiresAfter: duration,
  },
};

/** The settings as a JSON Schema; each description is what a wrong value is told to be. */
export const settingsSchema: JSONSchemaType<Settings> = {
  type: 'object',
  additionalProperties: false,
  required: [],
  properties: {
    listenPort: { ...text, default: '127.0.0.1:5050', description: 'an address such as "127.0.0.1:5050"' },
    unixSocket: { ...flag, default: false },
    unixSocketMode: { ...mode, default: '0660' },
    metricsListen: { ...text, nullable: true, description: 'an address such as "127.0.0.1:9550"' },
    secret: { ...secret, nullable: true },
    secrets: { type: 'array', items: secret, minItems: 1, nullable: true, description: 'a list of secrets, not empty' },
    secretFile: { ...secretFile, nullable: true },
    deleteSecret: { ...secret, nullable: true, description: "Metronome's delete_secret, not empty" },
    storeDir: { ...text, nullable: true, description: 'the folder for the uploads, or a table [s3]' },
    uploadSubDir: { type: 'string', default: '/', description: 'the path of the base URL, such as "upload/"' },
    maxFileSize: { ...size, nullable: true },
    maxUploads: { type: 'integer', minimum: 1, default: 2000, description: 'how many uploads may run at once' },
    workers: { type: 'integer', minimum: 1, maximum: 64, default: 1, description: 'a number of processes, 1 to 64' },
    minFreeSpace: { ...size, nullable: true },
    maxStoreSize: { ...size, nullable: true },
    whenFull: { type: 'string', enum: ['refuse', 'evict'], default: 'refuse', description: '"refuse" or "evict"' },
    evictMinAge: { ...duration, default: '1d' },
    userQuota: { ...size, nullable: true },
    dailyQuota: { ...size, nullable: true },
    sweepInterval: { ...timeout, default: '1h' },
    expiresAfter: { ...duration, nullable: true },
    replayWindow: { type: 'string', format: 'time', default: '30d', description: 'a time such as "30d", or "0s"' },
    retention: { type: 'array', items: retentionRule, default: [], description: 'tables [[retention]]' },
    s3: { ...s3Schema, nullable: true },
    component: { ...componentSchema, nullable: true },
    trustProxy: { type: 'array', items: proxy, default: [], description: 'a list of addresses or networks' },
    strictContentType: { ...flag, default: false },
    durability: { type: 'string', enum: ['sync', 'none'], default: 'sync', description: '"sync" or "none"' },
    fileMode: { ...mode, nullable: true },
    dirMode: { ...mode, nullable: true },
    accelRedirect: {
      type: 'string',
      pattern: '^/(?!\\.{1,2}/)[\\w.~-]+/$',
      nullable: true,
      description: 'the path of an internal location of nginx, such as "/internal-uploads/"',
    },
    cors: { ...flag, default: true },
    stallTimeout: { ...timeout, default: '60s' },
    shutdownTimeout: { ...timeout, default: '30s' },
    logLevel: {
      type: 'string',
      pattern: `^(${levels.join('|')})$`,
      default: 'info',
      description: `one of ${levels.join(', ')}`,
    },
    logFormat: {
      type: 'string',
      enum: ['auto', 'json', 'pretty'],
      default: 'auto',
      description: '"auto", "json" or "pretty"',
    },
  },
};

/** Keys, with those of their tables before them, whose values never stand in a message. */
export const secretKeys: ReadonlySet<string> = new Set([
  'secret',
  'secrets',
  'deleteSecret',
  's3.secretAccessKey',
  'component.secret',
]);
