import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { messageOf } from '../errors.js';
import { ConfigError } from './config.js';
import { makeSnippets, type SnippetValues } from './snippets.js';

function comment(text: string): string {
  return text.replace(/^/gm, '#   ');
}

function randomSecret(): string {
  return randomBytes(32).toString('hex');
}

/**
 * Writes a configuration with a random 32-byte secret that only its owner can read, for this base URL (as
 * `parseBaseUrl` gives it); returns what the other servers must be told. Throws a ConfigError, also if there is one.
 */
export function writeDefaultConfig(file: string, baseUrl: string): SnippetValues {
  const values = { baseUrl, secret: randomSecret(), deleteSecret: randomSecret() };
  const { prosodyExternal, ejabberd } = makeSnippets(values);
  const text = `# prosody-filer: all settings stand in config.example.toml

listenPort   = "127.0.0.1:5050"
secret       = "${values.secret}"
storeDir     = "./upload/"
uploadSubDir = "${new URL(baseUrl).pathname}"

# For Metronome, whose http_file_delete_secret it is:
# deleteSecret = "${values.deleteSecret}"

# For Prosody (clients must reach this server as ${baseUrl}):
${comment(prosodyExternal)}
#
# For ejabberd:
${comment(ejabberd)}
`;
  try {
    writeFileSync(file, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const found = messageOf(error);
    throw new ConfigError([`${file}: expected to write a configuration there, ${found}`], { cause: error });
  }
  return values;
}
