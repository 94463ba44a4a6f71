import { checkSettings } from './check-settings.js';
import type { Config, Parts, PlainSettings } from './config.js';
import { ConfigError, SettingProblem } from './config-error.js';
import { configParts } from './config-parts.js';
import { findOddities, type OddFile } from './secret-file.js';
import type { Settings } from './settings.js';
import { readToml } from './toml-file.js';

/** Secrets from the examples of prosody-filer and of mod_http_upload_external's scripts, which anybody can read. */
const publishedSecrets = new Set(['mysecret', '123', 'this is your secret string']);

/** The keys that the parts are made from, as they are called in `Settings`. */
const keysOfParts: ReadonlySet<string> = new Set(
  Object.values(configParts).flatMap(({ keys }) => keys.flatMap((key) => [key, `${key}Ms`])),
);

/** A configuration that was read. */
export interface LoadedConfig {
  readonly config: Config;
  /** Lines for the operator, at each start. */
  readonly warnings: string[];
  /** The files that hold secrets. */
  readonly secretFiles: string[];
  /** What is odd about the files that only hold a secret. */
  readonly oddFiles: OddFile[];
}

/** Makes each part unless one of its settings is wrong, and adds what is wrong with the parts to `problems`. */
function makeParts(
  settings: Settings,
  files: readonly string[],
  wrongKeys: ReadonlySet<string | undefined>,
  problems: string[],
): Parts {
  const made = Object.entries(configParts).map(([name, { keys, make }]) => {
    if (keys.some((key) => wrongKeys.has(key))) return [name, undefined];
    try {
      return [name, make(settings, files)];
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push(...error.problems);
      return [name, undefined];
    }
  });
  return Object.fromEntries(made) as Parts;
}

function plainSettings(settings: Settings): PlainSettings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !keysOfParts.has(name))) as PlainSettings;
}

/** The keys that name files with secrets, and the files. A name that is not a text is already a problem. */
function namedFiles({ secretFile, s3, component }: Settings): (readonly [key: string, file: string])[] {
  const files = [
    ['secretFile', secretFile],
    ['s3.secretAccessKeyFile', s3?.secretAccessKeyFile],
    ['component.secretFile', component?.secretFile],
  ] as const;
  return files.flatMap(([key, file]) => (typeof file === 'string' ? [[key, file] as const] : []));
}

function holdsSecret({ secret, secrets, deleteSecret, s3, component }: Settings): boolean {
  const given = [secret, secrets, deleteSecret, s3?.secretAccessKey, component?.secret];
  return given.some((value) => value !== undefined);
}

/**
 * Reads and checks a configuration file; relative paths in it start at the working directory, as in the original.
 * Throws a ConfigError with every problem.
 */
export function loadConfig(file: string): LoadedConfig {
  const { settings, problems } = checkSettings(readToml(file));
  const wrongKeys = new Set(problems.map(({ key }) => key));
  const texts = problems.map(({ text }) => text);
  const keysAndFiles = namedFiles(settings);
  const files = keysAndFiles.map(([, file]) => file);
  const { storage, ...parts } = makeParts(settings, [file, ...files], wrongKeys, texts);
  if (texts.length > 0) throw new ConfigError([...new Set(texts)].map((text) => `${file}: ${text}`));
  const config: Config = Object.freeze({ ...plainSettings(settings), ...parts, ...storage });
  const isPublished = config.secrets.some((secret) => publishedSecrets.has(secret));
  const warning = `${file}: secret: this one is published, so anybody can upload. Set a random one here and in the XMPP server (openssl rand -hex 32)`;
  return {
    config,
    warnings: isPublished ? [warning] : [],
    secretFiles: holdsSecret(settings) ? [file, ...files] : files,
    oddFiles: keysAndFiles.flatMap(([key, name]) => findOddities(key, name)),
  };
}
