import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { makeSnippets } from '../../src/config/snippets.js';
import { freePort } from '../support/peers.js';
import { readmeBlock, readmeCode } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { type Debian, thisDebian } from './debian.js';
import type { XmppServer } from './xmpp-client.js';

/** A gateway that may ask for slots. */
export interface GatewayOptions {
  /** Where components are taken; for an upload component, it is taken there too. */
  readonly componentPort?: number;
  readonly gatewaySecret?: string;
}

/** Which of Prosody's upload modules hands out the slots, and how it is set. */
export interface ModuleOptions extends GatewayOptions {
  readonly issuer: 'v1' | 'v2' | 'file_share' | 'file_share itself';
  /** With its trailing slash: mod_http_upload_external appends to it what it is. */
  readonly baseUrl: string;
  readonly secret: string;
  /** Where it listens for web clients, if it should. */
  readonly webSocketPort?: number;
}

/** For a component that connects to Prosody: where it is taken, and by which secret. */
export interface ComponentOptions extends GatewayOptions {
  readonly issuer: 'component';
  readonly componentPort: number;
  readonly secret: string;
}

/** Who hands out the slots. */
export type ProsodyOptions = ModuleOptions | ComponentOptions;

/** A Prosody with its own data. */
export interface Prosody extends XmppServer {
  /** The command line of its prosodyctl without arguments. */
  readonly prosodyctl: readonly [string, ...string[]];
  /** One of its plugin_paths, empty. */
  readonly pluginFolder: string;
  /** Stops it and starts it on its data with other options. */
  restart(options: ProsodyOptions): Promise<void>;
  /** Ends it, with SIGTERM unless another signal is named. */
  stop(signal?: NodeJS.Signals): Promise<unknown>;
}

const account = { domain: 'localhost', username: 'alice', password: 'alice-password' };

/**
 * Starts a Prosody of its own with two accounts, alice and bob, and one upload component; resolves once it listens.
 */
export async function startProsody(
  t: Pick<TestContext, 'after'>,
  options: ProsodyOptions,
  debian: Debian = thisDebian,
): Promise<Prosody> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const configFile = join(folder, 'prosody.cfg.lua');
  const port = await freePort();
  const pluginFolder = join(folder, 'plugins');
  await mkdir(join(folder, 'certs'));
  await mkdir(pluginFolder);
  await writeAccounts(folder);

  const start = async (startOptions: ProsodyOptions): Promise<void> => {
    await running?.stop();
    await writeFile(configFile, toConfig(folder, port, startOptions));
    const [command, ...args] = debian.commandOf('prosody', ['-F', '--config', configFile]);
    running = new RunningProcess(command, args);
    await running.waitForLine((line) => line.includes(`'c2s' on [127.0.0.1]:${port}`));
  };
  await start(options);
  const prosodyctl = debian.commandOf('prosodyctl', ['--config', configFile]);
  return { ...account, port, prosodyctl, pluginFolder, restart: start, stop: async (signal) => running?.stop(signal) };
}

/** Writes them as `prosodyctl register` does, which takes half a second for each. */
async function writeAccounts(folder: string): Promise<void> {
  const accounts = join(folder, 'data', account.domain, 'accounts');
  await mkdir(accounts, { recursive: true });
  for (const name of [account.username, 'bob']) {
    await writeFile(join(accounts, `${name}.dat`), `return { password = ${JSON.stringify(account.password)} };`);
  }
}

function toConfig(folder: string, port: number, options: ProsodyOptions): string {
  const webModules = 'webSocketPort' in options ? ', "roster", "blocklist", "websocket"' : '';
  return `
run_as_root = true
pidfile = ${JSON.stringify(join(folder, 'prosody.pid'))}
data_path = ${JSON.stringify(join(folder, 'data'))}
certificates = "certs"
plugin_paths = { "/usr/lib/prosody/modules", ${JSON.stringify(join(folder, 'plugins'))} }
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
s2s_ports = {}
${toPorts(options)}
modules_enabled = { "saslauth", "disco"${webModules} }
consider_websocket_secure = true
modules_disabled = { "s2s" }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
VirtualHost "${account.domain}"
${toComponent(options)}
${toGateway(options)}`;
}

function toPorts(options: ProsodyOptions): string {
  const { componentPort } = options;
  const ofComponents =
    componentPort === undefined ? '' : `component_interfaces = { "127.0.0.1" }\ncomponent_ports = { ${componentPort} }`;
  if (options.issuer === 'component') return ofComponents;
  return `
${ofComponents}
http_interfaces = { "127.0.0.1" }
http_ports = { ${options.webSocketPort ?? new URL(options.baseUrl).port} }
https_ports = {}
http_default_host = "upload.${account.domain}"
http_external_url = ${JSON.stringify(new URL('/', options.baseUrl).href)}`;
}

/** The component of the README or of `init`, with this server's names in it. */
function toComponent(options: ProsodyOptions): string {
  if (options.issuer === 'component') {
    const component = readmeBlock('lua', 'component_secret').replace('the-component-secret', options.secret);
    return component.replace('example.org', account.domain);
  }
  const { issuer, baseUrl, secret } = options;
  if (issuer === 'file_share itself') return `Component "upload.${account.domain}" "http_file_share"`;
  const { prosodyExternal, prosodyFileShare } = makeSnippets({ baseUrl, secret, deleteSecret: 'none' });
  const component = issuer === 'file_share' ? prosodyFileShare : prosodyExternal;
  const named = component.replace('example.org', account.domain);
  // Without a protocol the module signs v1.
  return issuer === 'v1' ? named.replace(/^.*_protocol = .*$/m, '') : named;
}

/** What the README adds for a gateway. Only Prosody's own module has a list of who may ask. */
function toGateway({ issuer, gatewaySecret }: ProsodyOptions): string {
  if (gatewaySecret === undefined) return '';
  const access = readmeCode('http_file_share_access = ').replaceAll('example.org', account.domain);
  return `${issuer === 'file_share' ? `    ${access}` : ''}
Component "slidge.${account.domain}"
    component_secret = "${gatewaySecret}"`;
}
