import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { RetentionSettings } from '../retention/expiry.js';
import type { LimitSettings } from '../retention/limits.js';
import type { S3Options } from '../storage/s3/s3-options.js';
import { parseDuration, parseSize } from '../units.js';
import { keyBelow } from '../upload/upload-key.js';
import { patternProblems } from './check-pattern.js';
import { checkSettings } from './check-settings.js';
import { componentConfig } from './component-settings.js';
import { type Config, ConfigError, type LogLevel, type Storage } from './config.js';
import { listenAddress, metricsAddress } from './listen-address.js';
import { s3Options } from './s3-settings.js';
import { readSecretFile } from './secret-file.js';
import { SettingProblem } from './setting-problem.js';
import type { Settings } from './settings.js';
import { readToml } from './toml-file.js';

/** Secrets that anybody can read in an example, of prosody-filer or of mod_http_upload_external's scripts. */
const publishedSecrets = new Set(['mysecret', '123', 'this is your secret string']);

const logrusLevels: Readonly<Record<string, LogLevel>> = { warning: 'warn', panic: 'fatal' };

function secretsFromFile({ secretFile }: Settings): string[] {
  return secretFile === undefined ? [] : [readSecretFile('secretFile', secretFile)];
}

function baseSegments({ uploadSubDir }: Settings): string[] {
  const segments = uploadSubDir.split('/').filter((segment) => segment !== '');
  // A request's path is decoded, so that a "%" here would be one that is sent as "%25".
  if (segments.some((segment) => segment.includes('%') || keyBelow(undefined, segment) === undefined)) {
    throw new SettingProblem(
      `uploadSubDir: expected the path of the base URL, such as "upload/", got '${uploadSubDir}'`,
    );
  }
  return segments;
}

/** The absolute path without symbolic links; of what does not exist yet, without those that do. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

/** Nothing with a secret in it may lie where uploads are served from. */
function folderBeside(storeDir: string, files: readonly string[]): string {
  const root = realPath(storeDir);
  const inside = files.map(realPath).find((file) => file.startsWith(path.join(root, '/')));
  if (inside === undefined) return path.resolve(storeDir);
  throw new SettingProblem(
    `storeDir: expected a folder for uploads only, got one with ${inside} in it: it would be served`,
  );
}

/** The settings that mean something for a folder only. */
const folderKeys = ['storeDir', 'fileMode', 'dirMode', 'accelRedirect', 'minFreeSpace'] as const;

function storage(settings: Settings, s3: S3Options | undefined, files: readonly string[]): Storage | undefined {
  const { storeDir } = settings;
  if (s3 !== undefined) {
    const superfluous = folderKeys.find((key) => settings[key] !== undefined);
    if (superfluous === undefined) return { s3 };
    throw new SettingProblem(`${superfluous}: expected it without a table [s3] only: uploads lie in its bucket`);
  }
  return storeDir === undefined ? undefined : { storeDir: folderBeside(storeDir, files) };
}

/** On TCP a client whose connection has closed has no address either. */
function proxies({ trustProxy, unixSocket }: Settings): readonly string[] {
  if (unixSocket || !trustProxy.includes('unix')) return trustProxy;
  throw new SettingProblem('trustProxy: expected "unix" only together with unixSocket = true');
}

function bytes(size: string | undefined): number | undefined {
  return size === undefined ? undefined : parseSize(size);
}

function limits({ maxStoreSize, whenFull, minFreeSpace, userQuota, dailyQuota }: Settings): LimitSettings {
  return {
    maxStoreSize: bytes(maxStoreSize),
    evictsWhenFull: whenFull === 'evict',
    minFreeSpace: bytes(minFreeSpace) ?? 0,
    userQuota: bytes(userQuota),
    dailyQuota: bytes(dailyQuota),
  };
}

function retention({ expiresAfter, retention: tables, whenFull, evictMinAge }: Settings): RetentionSettings {
  const rules = tables.map(({ largerThan, expiresAfter: after, ...patterns }) => ({
    ...patterns,
    largerThan: bytes(largerThan),
    expiresAfterMs: parseDuration(after),
  }));
  return {
    expiresAfterMs: expiresAfter === undefined ? undefined : parseDuration(expiresAfter),
    rules,
    evictMinAgeMs: whenFull === 'evict' ? parseDuration(evictMinAge) : undefined,
  };
}

/** nginx would ask for uploads again where they are asked for already. */
function internalPath({ accelRedirect }: Settings, base: readonly string[] | undefined): string | undefined {
  if (accelRedirect === undefined || !`/${base?.join('/')}/`.startsWith(accelRedirect)) return accelRedirect;
  throw new SettingProblem(`accelRedirect: expected another path than that of uploadSubDir, got '${accelRedirect}'`);
}

/** This program reads uploads, and makes and finds them in their folders, as their owner. */
function modes({ fileMode, dirMode }: Settings) {
  const [files, folders] = [octal(fileMode), octal(dirMode)];
  if (files !== undefined && (files & 0o400) === 0)
    throw new SettingProblem(`fileMode: expected a mode that lets the owner read, such as "0640", got '${fileMode}'`);
  if (folders !== undefined && (folders & 0o700) !== 0o700) {
    const expected = 'a mode that lets the owner read, write and enter, such as "0750"';
    throw new SettingProblem(`dirMode: expected ${expected}, got '${dirMode}'`);
  }
  return { fileMode: files, dirMode: folders };
}

function octal(mode: string | undefined): number | undefined {
  return mode === undefined ? undefined : Number.parseInt(mode, 8);
}

/** What only takes another form. */
function converted(settings: Settings) {
  const { deleteSecret, maxUploads, workers, cors, strictContentType, logLevel, logFormat } = settings;
  return {
    deleteSecret,
    maxUploads,
    workers,
    cors,
    strictContentType,
    logFormat,
    maxFileSize: bytes(settings.maxFileSize),
    limits: limits(settings),
    retention: retention(settings),
    sweepIntervalMs: parseDuration(settings.sweepInterval),
    evictMinAgeMs: parseDuration(settings.evictMinAge),
    replayWindowMs: parseDuration(settings.replayWindow),
    stallTimeoutMs: parseDuration(settings.stallTimeout),
    shutdownTimeoutMs: parseDuration(settings.shutdownTimeout),
    isDurable: settings.durability === 'sync',
    logLevel: logrusLevels[logLevel] ?? (logLevel as LogLevel),
  };
}

/** A configuration that was read. */
export interface LoadedConfig {
  readonly config: Config;
  /** For the operator, at each start. */
  readonly warnings: string[];
  /** The files that hold secrets. */
  readonly secretFiles: string[];
}

/**
 * Reads and checks a configuration file; relative paths in it start at the working directory, as in the original.
 * Throws a ConfigError with every problem.
 */
export function loadConfig(file: string): LoadedConfig {
  const { settings, problems } = checkSettings(readToml(file));

  /** Makes a part from its settings unless one of these is wrong already. */
  function make<T>(keys: readonly (keyof Settings)[], part: () => T): T | undefined {
    if (problems.some(({ key }) => keys.some((own) => own === key))) return undefined;
    try {
      return part();
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push({ key: keys[0] ?? '', text: error.message });
      return undefined;
    }
  }

  const { s3: s3Table, component: componentTable } = settings;
  const secretFiles = [settings.secretFile, s3Table?.secretAccessKeyFile, componentTable?.secretFile];
  // One that is no text is a problem already.
  const filesWithSecrets = [file, ...secretFiles.filter((name) => typeof name === 'string')];

  const listen = make(['listenPort', 'unixSocket', 'unixSocketMode'], () => listenAddress(settings));
  const metricsListen = make(['metricsListen'], () => metricsAddress(settings, listen));
  const fromFile = make(['secretFile'], () => secretsFromFile(settings));
  const base = make(['uploadSubDir'], () => baseSegments(settings));
  const s3 = make(['s3'], () => s3Table && s3Options(s3Table));
  const store = make(['storeDir', 's3', 'secretFile', ...folderKeys], () => storage(settings, s3, filesWithSecrets));
  const component = make(
    ['component', 's3', 'uploadSubDir'],
    () => componentTable && componentConfig(componentTable, base ?? [], s3),
  );
  if (!problems.some(({ key }) => key === 'retention')) {
    problems.push(...patternProblems(settings.retention).map((text) => ({ key: 'retention', text })));
  }
  const trustProxy = make(['trustProxy', 'unixSocket'], () => proxies(settings));
  const ownModes = make(['fileMode', 'dirMode'], () => modes(settings));
  const accelRedirect = make(['accelRedirect', 'uploadSubDir'], () => internalPath(settings, base));
  if (
    problems.length > 0 ||
    trustProxy === undefined ||
    ownModes === undefined ||
    store === undefined ||
    listen === undefined ||
    fromFile === undefined ||
    base === undefined
  ) {
    throw new ConfigError(problems.map(({ text }) => `${file}: ${text}`));
  }
  const { secret, secrets: more = [] } = settings;
  const secrets = [...(secret === undefined ? [] : [secret]), ...fromFile, ...more];
  const made = { listen, metricsListen, secrets, component, baseSegments: base, trustProxy, accelRedirect };
  const config: Config = Object.freeze({
    ...store,
    ...made,
    ...ownModes,
    ...converted(settings),
  });
  const isPublished = secrets.some((candidate) => publishedSecrets.has(candidate));
  const warning = `${file}: secret: this one is published, so anybody can upload: put a random one here and into the XMPP server`;
  const inFile = [secret, settings.secrets, settings.deleteSecret, s3Table?.secretAccessKey, componentTable?.secret];
  const holdsSecret = inFile.some((setting) => setting !== undefined);
  return {
    config,
    warnings: isPublished ? [warning] : [],
    secretFiles: holdsSecret ? filesWithSecrets : filesWithSecrets.slice(1),
  };
}
