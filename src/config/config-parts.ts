import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { RetentionSettings } from '../retention/expiry.js';
import type { LimitSettings } from '../retention/limits.js';
import { unlimited } from '../units.js';
import { baseSegments } from './base-url.js';
import { patternProblems } from './check-pattern.js';
import { componentConfig } from './component-settings.js';
import { SettingProblem } from './config-error.js';
import { listenAddress, metricsAddress } from './listen-address.js';
import { quotaProblems } from './quota-settings.js';
import { type S3Config, s3Options } from './s3-settings.js';
import { readSecretsOfFile } from './secret-file.js';
import { type SettingsOf, settingsSchema } from './settings.js';

/** Where uploads are stored: in a folder or in a bucket. */
export type Storage =
  | { readonly storeDir: string; readonly s3?: undefined }
  | { readonly storeDir?: undefined; readonly s3: S3Config };

/** pino's name for the level. The original program used logrus, which has two names of its own. */
function pinoLevel({ logLevel }: SettingsOf<'logLevel'>) {
  if (logLevel === 'warning') return 'warn';
  return logLevel === 'panic' ? 'fatal' : logLevel;
}

function allSecrets({ secret, secrets = [], secretFile }: SettingsOf<'secret' | 'secrets' | 'secretFile'>) {
  const fromFile = secretFile === undefined ? [] : readSecretsOfFile('secretFile', secretFile);
  const all = [...(secret === undefined ? [] : [secret]), ...fromFile, ...secrets];
  if (all.length > 0) return all;
  throw new SettingProblem(`secret: expected ${settingsSchema.properties.secret.expected}, but it is not set`);
}

/** The path without symbolic links; the absolute path if there is no such file yet. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

function storage({ storeDir, s3 }: SettingsOf<'storeDir' | 's3'>, filesWithSecrets: readonly string[]): Storage {
  if (s3 !== undefined) return { s3: s3Options(s3) };
  if (storeDir === undefined) {
    throw new SettingProblem(`storeDir: expected ${settingsSchema.properties.storeDir.expected}, but it is not set`);
  }
  const root = realPath(storeDir);
  const inside = filesWithSecrets.map(realPath).find((file) => file.startsWith(path.join(root, '/')));
  if (inside === undefined) return { storeDir: path.resolve(storeDir) };
  throw new SettingProblem(
    `storeDir: expected a folder for uploads only, but ${inside} is in it, and anybody could download that. Move one of the two`,
  );
}

/** On TCP, a client whose connection has closed has no address either, so "unix" would trust it. */
function proxies({ trustProxy, unixSocket }: SettingsOf<'trustProxy' | 'unixSocket'>): readonly string[] {
  if (unixSocket || !trustProxy.includes('unix')) return trustProxy;
  throw new SettingProblem('trustProxy: expected "unix" only together with unixSocket = true');
}

function limits({
  whenFull,
  minFreeSpace = 0,
  quota,
  ...plain
}: SettingsOf<'maxStoreSize' | 'whenFull' | 'minFreeSpace' | 'userQuota' | 'dailyQuota' | 'quota'>): LimitSettings {
  const problems = quotaProblems(quota);
  if (problems.length > 0) throw new SettingProblem(...problems);
  return { ...plain, quotas: quota, minFreeSpace, evictsWhenFull: whenFull === 'evict' };
}

function retention({
  expiresAfterMs,
  retention: rules,
  whenFull,
  evictMinAgeMs,
  component,
}: SettingsOf<'expiresAfter' | 'retention' | 'whenFull' | 'evictMinAge' | 'component'>): RetentionSettings {
  const isDirect = component?.upload === 'direct';
  const problems = rules.flatMap(({ match, contentType, purpose }, index) => [
    ...(purpose !== undefined && isDirect
      ? [
          `retention[${index}].purpose: expected it only with upload = "filer", because slots of a bucket have no purpose`,
        ]
      : []),
    ...patternProblems(`retention[${index}].match`, match),
    ...(match?.includes('/') === true
      ? [`retention[${index}].match: expected no "/" in a pattern for file names, got '${match}'`]
      : []),
    ...patternProblems(`retention[${index}].contentType`, contentType),
  ]);
  if (problems.length > 0) throw new SettingProblem(...problems);
  return {
    expiresAfterMs,
    rules: rules.map((rule) => (rule.expiresAfterMs === unlimited ? { ...rule, expiresAfterMs: undefined } : rule)),
    evictMinAgeMs: whenFull === 'evict' ? evictMinAgeMs : undefined,
  };
}

/** If the internal location had the path of the uploads, nginx would ask prosody-filer for each file again and again. */
function internalPath({ accelRedirect, uploadSubDir }: SettingsOf<'accelRedirect' | 'uploadSubDir'>) {
  const uploads = `/${baseSegments(uploadSubDir)?.join('/')}/`;
  if (accelRedirect === undefined || !uploads.startsWith(accelRedirect)) return accelRedirect;
  throw new SettingProblem(`accelRedirect: expected another path than that of uploadSubDir, got '${accelRedirect}'`);
}

type Key = keyof typeof settingsSchema.properties;

/** A part is made from the settings with these keys, unless one of them is wrong. `make` may throw a SettingProblem. */
function part<Used extends Key, Made>(
  keys: readonly Used[],
  make: (settings: SettingsOf<Used>, filesWithSecrets: readonly string[]) => Made,
) {
  return { keys, make };
}

/** The parts of `Config` that are not just a setting in its unit. */
export const configParts = {
  storage: part(['storeDir', 's3'], storage),
  listen: part(['listenPort', 'unixSocket', 'unixSocketMode'], listenAddress),
  metricsListen: part(['metricsListen', 'listenPort', 'unixSocket'], metricsAddress),
  /** A token may be signed with any of them; the first one signs our own slots and makes the ids of uploaders. */
  secrets: part(['secret', 'secrets', 'secretFile'], allSecrets),
  /** Decoded path segments of the base URL, e.g. `['upload']`. */
  baseSegments: part(['uploadSubDir'], ({ uploadSubDir }) => baseSegments(uploadSubDir) ?? []),
  component: part(
    ['component', 's3', 'uploadSubDir'],
    ({ component, s3, uploadSubDir }) => component && componentConfig(component, baseSegments(uploadSubDir) ?? [], s3),
  ),
  limits: part(['maxStoreSize', 'whenFull', 'minFreeSpace', 'userQuota', 'dailyQuota', 'quota'], limits),
  retention: part(['expiresAfter', 'retention', 'whenFull', 'evictMinAge', 'component'], retention),
  evictMinAgeMs: part(['evictMinAge'], ({ evictMinAgeMs }) => evictMinAgeMs),
  trustProxy: part(['trustProxy', 'unixSocket'], proxies),
  accelRedirect: part(['accelRedirect', 'uploadSubDir'], internalPath),
  isDurable: part(['durability'], ({ durability }) => durability === 'sync'),
  logLevel: part(['logLevel'], pinoLevel),
};
