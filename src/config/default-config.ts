import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { messageOf } from '../errors.js';
import { ConfigError } from './config-error.js';
import { makeSnippets, type SnippetValues } from './snippets.js';

/** The folder of the uploads in the configuration that `writeDefaultConfig` writes, below the working directory. */
export const defaultStoreDir = './upload/';

/** The path of nginx's internal location in all examples. */
export const defaultAccelRedirect = '/internal-uploads/';

function comment(text: string): string {
  return text.replace(/^/gm, '#   ');
}

function randomSecret(): string {
  return randomBytes(32).toString('hex');
}

/**
 * Writes a configuration that only its owner can read, with a random 32-byte secret and this base URL (as `parseBaseUrl`
 * returns it). Returns the values for the configurations of the other servers. Throws a ConfigError if the file exists.
 */
export function writeDefaultConfig(file: string, baseUrl: string): SnippetValues {
  const values = { baseUrl, secret: randomSecret(), deleteSecret: randomSecret() };
  const { prosodyExternal, ejabberd } = makeSnippets(values);
  const text = `# config.example.toml has all settings of prosody-filer.

listenPort   = "127.0.0.1:5050"
secret       = "${values.secret}"
storeDir     = "${defaultStoreDir}"
uploadSubDir = "${new URL(baseUrl).pathname}"

# If clients come through nginx, and nginx can read storeDir: it sends the downloads, which is faster.
# accelRedirect = "${defaultAccelRedirect}"

# For Metronome: the same secret as its http_file_delete_secret.
# deleteSecret = "${values.deleteSecret}"

# For Prosody, if clients reach this server under ${baseUrl}:
${comment(prosodyExternal)}
#
# For ejabberd:
${comment(ejabberd)}
`;
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new ConfigError([`${file}: cannot write a configuration there: ${messageOf(error)}`], { cause: error });
  }
  return values;
}
