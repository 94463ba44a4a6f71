import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { findProgram, freePort } from '../support/peers.js';
import { readmeBlock, withNames } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import type { XmppServer } from './xmpp-client.js';

/** Which of Prosody's upload modules hands out the slots, and how it is set. */
export interface ProsodyOptions {
  readonly issuer: 'v1' | 'v2' | 'file_share';
  /** With its trailing slash: mod_http_upload_external appends to it what it is. */
  readonly baseUrl: string;
  readonly secret: string;
}

const run = promisify(execFile);
const account = { domain: 'localhost', username: 'alice', password: 'alice-password' };

/** Starts a Prosody of its own with one account and one upload component; resolves once it listens. */
export async function startProsody(t: Pick<TestContext, 'after'>, options: ProsodyOptions): Promise<XmppServer> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const configFile = join(folder, 'prosody.cfg.lua');
  const port = await freePort();
  await mkdir(join(folder, 'certs'));
  await writeFile(configFile, toConfig(folder, port, options));

  const { username, domain, password } = account;
  const prosodyctl = findProgram('prosodyctl') ?? 'prosodyctl';
  await run(prosodyctl, ['--config', configFile, 'register', username, domain, password]);
  const program = findProgram('prosody') ?? 'prosody';
  const prosody = new RunningProcess(program, ['-F', '--config', configFile]);
  running = prosody;
  await prosody.waitForLine((line) => line.includes(`'c2s' on [127.0.0.1]:${port}`));
  return { ...account, port };
}

function toConfig(folder: string, port: number, options: ProsodyOptions): string {
  return `
run_as_root = true
pidfile = ${JSON.stringify(join(folder, 'prosody.pid'))}
data_path = ${JSON.stringify(join(folder, 'data'))}
certificates = "certs"
plugin_paths = { "/usr/lib/prosody/modules" }
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
s2s_ports = {}
modules_enabled = { "saslauth", "disco" }
modules_disabled = { "s2s" }
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
VirtualHost "${account.domain}"
${toComponent(options)}`;
}

/** The README's component, with this server's names in it. */
function toComponent({ issuer, baseUrl, secret }: ProsodyOptions): string {
  const module = issuer === 'file_share' ? 'http_file_share' : 'http_upload_external';
  const component = readmeBlock('lua', `"${module}"\n    ${module}_base_url`);
  const named = withNames(component, { baseUrl, secret, domain: account.domain });
  // Without a protocol the module signs v1.
  return issuer === 'v1' ? named.replace(/^.*_protocol = .*$/m, '') : named;
}
