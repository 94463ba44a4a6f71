import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { messageOf } from '../errors.js';
import { ConfigError } from './config.js';

/** Lines for the XMPP servers' configuration that let their users upload to the base URL. */
export function issuerSnippets(baseUrl: string, secret: string): { prosody: string; ejabberd: string } {
  return {
    prosody: [
      'Component "upload.example.org" "http_upload_external"',
      `http_upload_external_base_url = "${baseUrl}"`,
      `http_upload_external_secret = "${secret}"`,
      'http_upload_external_protocol = "v2"',
    ].join('\n'),
    ejabberd: [
      'modules:',
      '  mod_http_upload:',
      `    put_url: "${baseUrl.replace(/\/$/, '')}"`,
      `    external_secret: "${secret}"`,
    ].join('\n'),
  };
}

/** Where the configuration of `writeDefaultConfig` serves. */
export const defaultBaseUrl = 'http://127.0.0.1:5050/upload/';

function comment(text: string): string {
  return text.replace(/^/gm, '#   ');
}

/** Writes a configuration with a random 32-byte secret that only its owner can read. Throws a ConfigError, also if there is one. */
export function writeDefaultConfig(file: string): void {
  const secret = randomBytes(32).toString('hex');
  const { prosody, ejabberd } = issuerSnippets(defaultBaseUrl, secret);
  const text = `# prosody-filer: all settings stand in config.example.toml

listenPort   = "127.0.0.1:5050"
secret       = "${secret}"
storeDir     = "./upload/"
uploadSubDir = "upload/"

# For Prosody (put the address under which clients reach this server in place of ${defaultBaseUrl}):
${comment(prosody)}
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
}
