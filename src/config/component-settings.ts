import type { JSONSchemaType } from 'ajv';
import type { S3Options } from '../storage/s3/s3-options.js';
import { parseSize } from '../units.js';
import { parseBaseUrl } from './base-url.js';
import { requirePatterns } from './check-pattern.js';
import { type ComponentConfig, ConfigError } from './config.js';
import { requireSecret } from './secret-file.js';
import { SettingProblem } from './setting-problem.js';
import { settingTypes } from './setting-types.js';

/** The table `[component]`. */
export interface ComponentSettings {
  jid: string;
  host: string;
  port: number;
  secret?: string;
  secretFile?: string;
  name: string;
  access?: string[];
  allowedTypes: string[];
  baseUrl?: string;
  maxFileSize: string;
  dailyQuota?: string;
  upload: ComponentConfig['upload'];
}

const { text, size, secret, secretFile } = settingTypes;
const domain = '[^\\s@/\\p{Cc}\\uFFFE\\uFFFF]+';

/** The table's JSON Schema. */
export const componentSchema: JSONSchemaType<ComponentSettings> = {
  type: 'object',
  additionalProperties: false,
  required: ['jid'],
  description: 'a table [component]',
  properties: {
    jid: { ...text, pattern: `^${domain}$`, description: 'the domain of the component, such as "upload.example.org"' },
    host: { type: 'string', format: 'host', default: '127.0.0.1', description: 'the host of the XMPP server' },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      default: 5347,
      description: "the port of the XMPP server's components",
    },
    secret: { ...secret, nullable: true, description: "the component's secret on the XMPP server, not empty" },
    secretFile: { ...secretFile, nullable: true },
    name: { ...text, default: 'HTTP File Upload', description: 'what clients call the service' },
    access: {
      type: 'array',
      items: { ...text, pattern: `^(${domain}@)?${domain}$`, description: 'a JID or a domain' },
      minItems: 1,
      nullable: true,
      description: 'a list of JIDs and domains, not empty',
    },
    allowedTypes: {
      type: 'array',
      items: { ...text, description: 'a pattern for content types such as "image/*"' },
      default: [],
      description: 'a list of patterns for content types such as "image/*"',
    },
    baseUrl: { ...text, nullable: true, description: 'the URL under which clients reach this server' },
    maxFileSize: { ...size, default: '100MiB' },
    dailyQuota: { ...size, nullable: true },
    upload: { type: 'string', enum: ['filer', 'direct'], default: 'filer', description: '"filer" or "direct"' },
  },
};

function checkedBaseUrl(text: string, base: readonly string[]): string {
  const path = `/${base.map((segment) => `${segment}/`).join('')}`;
  try {
    const baseUrl = parseBaseUrl(text, 'component.baseUrl');
    if (new URL(baseUrl).pathname === path) return baseUrl;
  } catch (error) {
    throw error instanceof ConfigError ? new SettingProblem(error.message) : error;
  }
  throw new SettingProblem(`component.baseUrl: expected a URL with the path of uploadSubDir, ${path}, got '${text}'`);
}

/** The component that the table describes; `base` are the segments of uploadSubDir. Throws a SettingProblem. */
export function componentConfig(
  settings: ComponentSettings,
  base: readonly string[],
  s3: S3Options | undefined,
): ComponentConfig {
  const { jid, host, port, name, access, allowedTypes, baseUrl, maxFileSize, dailyQuota, upload } = settings;
  if (upload === 'direct' && s3 === undefined) {
    throw new SettingProblem('component.upload: expected "filer", since "direct" needs a table [s3]');
  }
  if (baseUrl === undefined && (upload === 'filer' || s3?.publicUrl === undefined)) {
    throw new SettingProblem('component.baseUrl: expected the URL under which clients reach this server, got nothing');
  }
  requirePatterns('component.allowedTypes', allowedTypes);
  const [, ...parents] = jid.toLowerCase().split('.');
  if (access === undefined && parents.length === 0) {
    throw new SettingProblem(`component.access: expected a list, since ${jid} has no domain above it`);
  }
  return {
    jid: jid.toLowerCase(),
    host,
    port,
    secret: requireSecret('component.secret', settings.secret, settings.secretFile),
    name,
    access: access?.map((entry) => entry.toLowerCase()) ?? [parents.join('.')],
    isDefaultAccess: access === undefined,
    allowedTypes,
    baseUrl: baseUrl === undefined ? undefined : checkedBaseUrl(baseUrl, base),
    maxFileSize: parseSize(maxFileSize),
    dailyQuota: dailyQuota === undefined ? undefined : parseSize(dailyQuota),
    upload,
  };
}
