import path from 'node:path';
import { type Command, Option } from 'commander';
import { defaultBaseUrl, parseBaseUrl } from '../config/base-url.js';
import { defaultAccelRedirect, defaultStoreDir, writeDefaultConfig } from '../config/default-config.js';
import { nginxLocations, nginxUpstream } from '../config/nginx-locations.js';
import { type OtherProxy, otherProxies, proxySnippet } from '../config/proxy-snippets.js';
import { makeSnippets } from '../config/snippets.js';
import type { CommandOptions, Output } from '../output.js';

interface InitOptions extends CommandOptions {
  /** As the operator wrote it. */
  readonly baseUrl: string;
  readonly proxy: 'nginx' | OtherProxy;
}

function nginxPart(config: string, baseUrl: string): string {
  const storeDir = path.resolve(defaultStoreDir);
  return `--- nginx, before the server block
${nginxUpstream}

--- nginx, in the server block that has your certificate (to let it send the downloads, let its user read ${storeDir}, and remove the "#" before accelRedirect in ${config})
${nginxLocations(baseUrl, defaultAccelRedirect, storeDir)}`;
}

function init({ config, baseUrl, proxy }: InitOptions, output: Output): void {
  const values = writeDefaultConfig(config, parseBaseUrl(baseUrl));
  const { prosodyExternal, prosodyFileShare, ejabberd, metronome } = makeSnippets(values);
  output.print(`Wrote ${config} with a random secret. Uploads go to ./upload/.

Clients must be able to reach this server at ${values.baseUrl}.
Add one of these to the configuration of your XMPP server:

--- Prosody with mod_http_upload_external (without the _protocol line it signs v1 tokens, which work too)
${prosodyExternal}

--- Prosody with mod_http_file_share
${prosodyFileShare}

--- ejabberd
${ejabberd}

--- Metronome (to let it delete files, remove the "#" before deleteSecret in ${config})
${metronome}

${
  proxy === 'nginx'
    ? nginxPart(config, values.baseUrl)
    : `--- ${proxy}
${proxySnippet(proxy, values.baseUrl)}`
}

Then check the configuration:  prosody-filer check-config --config ${config}
and start the server:          prosody-filer --config ${config}`);
}

/** Adds the command that writes a configuration and prints the matching settings of the other servers. */
export function register(program: Command, output: Output): void {
  program
    .command('init')
    .description('write a configuration with a random secret, and print the settings for the other servers')
    .option('--base-url <url>', 'public URL of this server', defaultBaseUrl)
    .addOption(
      new Option('--proxy <name>', 'the proxy whose settings it prints')
        .choices(['nginx', ...otherProxies])
        .default('nginx'),
    )
    .action((options: InitOptions) => init(options, output));
}
