import { parseBaseUrl } from '../config/base-url.js';
import { writeDefaultConfig } from '../config/default-config.js';
import { makeSnippets } from '../config/snippets.js';
import type { Output } from '../output.js';

/** What `init` is started with. */
export interface InitOptions {
  readonly configFile: string;
  /** As the operator wrote it. */
  readonly baseUrl: string;
}

/** Writes a configuration and prints what the other servers need to be told. Throws a ConfigError, also if there is one. */
export function init({ configFile, baseUrl }: InitOptions, output: Output): void {
  const values = writeDefaultConfig(configFile, parseBaseUrl(baseUrl));
  const { prosodyExternal, prosodyFileShare, ejabberd, metronome, nginx } = makeSnippets(values);
  output.print(`Wrote ${configFile} with a random secret; uploads go to ./upload/.

Clients must reach this server as ${values.baseUrl}. In one of your servers:

--- Prosody, mod_http_upload_external (without its _protocol line it signs v1, which is taken too)
${prosodyExternal}

--- Prosody, mod_http_file_share
${prosodyFileShare}

--- ejabberd
${ejabberd}

--- Metronome (switch on deleteSecret in ${configFile}, so that it can delete files)
${metronome}

--- nginx, in the server block with your certificate
${nginx}

Then: prosody-filer check-config --config ${configFile}, and: prosody-filer --config ${configFile}`);
}
