import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { send } from '../support/http-client.js';
import { freePort, skipOrFail } from '../support/peers.js';
import { readmeBlock, withNames } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { type Debian, thisDebian } from './debian.js';
import type { XmppServer } from './xmpp-client.js';

/** Where a gateway connects that may ask for slots, and by which secret. */
interface GatewayOptions {
  readonly gateway?: { readonly port: number; readonly secret: string };
}

/** How mod_http_upload is set. */
export interface ModuleOptions extends GatewayOptions {
  readonly baseUrl: string;
  readonly secret: string;
}

/** For a component that connects to ejabberd: where it is taken, and by which secret. */
export interface ComponentOptions extends GatewayOptions {
  readonly componentPort: number;
  readonly secret: string;
}

/** Who hands out the slots. */
export type EjabberdOptions = ModuleOptions | ComponentOptions;

const run = promisify(execFile);
const account = { domain: 'localhost', username: 'alice', password: 'alice-password' };
const systemUser = 'ejabberd';

/** Says why this user cannot run this Debian's ejabberd, if so (only root can); throws it where CI=true. */
export function ejabberdRefusal({ missingPeer }: Debian = thisDebian): string | undefined {
  if (userInfo().uid !== 0) return skipOrFail('ejabberdctl runs as root only');
  return missingPeer('ejabberdctl');
}

/** Starts an ejabberd of its own with one account and an upload service; resolves once it listens. */
export async function startEjabberd(
  t: Pick<TestContext, 'after'>,
  options: EjabberdOptions,
  debian: Debian = thisDebian,
): Promise<XmppServer> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop('SIGKILL')); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const [port, apiPort] = [await freePort(), await freePort()];
  const [uid, gid] = [await systemId(debian, '-u'), await systemId(debian, '-g')];
  // Erlang keeps its cookie in HOME. Each account gets a folder that it can write to.
  const environment = { env: { PATH: process.env['PATH'], HOME: folder } };

  await writeConfig(folder, [port, apiPort], options);
  for (const path of ['', 'spool', 'logs']) await chown(join(folder, path), uid, gid);

  const args = [
    ...['-n', 'prosody-filer-test@localhost', '-c', join(folder, 'ejabberdctl.cfg')],
    ...['-s', join(folder, 'spool'), '-l', join(folder, 'logs')],
    ...['-d', folder, '-f', join(folder, 'ejabberd.yml')],
  ];
  const [ejabberdctl, ...first] = debian.commandOf('ejabberdctl', args, systemUser);
  const ejabberd = new RunningProcess(ejabberdctl, [...first, 'foreground'], environment);
  running = ejabberd;
  for (const listener of [port, apiPort]) {
    await ejabberd.waitForLine((line) => line.includes(`connections at 127.0.0.1:${listener} for`));
  }
  await register(apiPort);
  return { ...account, port };
}

/** Makes the account without ejabberdctl, which starts another Erlang for it. */
async function register(apiPort: number): Promise<void> {
  const { username: user, domain: host, password } = account;
  const headers = { 'content-type': 'application/json' };
  const body = Buffer.from(JSON.stringify({ user, host, password }));
  const answer = await send(`http://127.0.0.1:${apiPort}/api/register`, { method: 'POST', headers, body });
  if (answer.status !== 200) throw new Error(`ejabberd made no account: ${answer.status} ${answer.body}`);
}

type Ports = readonly [forClients: number, forCommands: number];

async function writeConfig(folder: string, ports: Ports, options: EjabberdOptions): Promise<void> {
  await mkdir(join(folder, 'spool'));
  await mkdir(join(folder, 'logs'));
  await writeFile(join(folder, 'ejabberd.yml'), toConfig(folder, ports, options));
  await writeFile(join(folder, 'inetrc'), '');
  // With a port of its own for Erlang's distribution no epmd is started that would stay behind.
  // The trap makes the shell wait for Erlang when the process group is told to end.
  const lines = [`ERL_DIST_PORT=${await freePort()}`, 'INET_DIST_INTERFACE=127.0.0.1', 'trap : TERM'];
  await writeFile(join(folder, 'ejabberdctl.cfg'), `${lines.join('\n')}\n`);
}

function toConfig(folder: string, [port, apiPort]: Ports, options: EjabberdOptions): string {
  return `
hosts: [${account.domain}]
loglevel: info
${toListeners(options)}
  - {port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s}
  - {port: ${apiPort}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {/api: mod_http_api}}
api_permissions: {tests: {from: mod_http_api, who: {ip: 127.0.0.1/8}, what: register}}
${toAccess(options)}
${toModules(folder, options)}
  mod_disco: {}
  mod_http_api: {}
`;
}

/** The README's listener for a component, without its first line. */
function toListener(jid: string, port: number, secret: string): string {
  return readmeBlock('yaml', 'ejabberd_service')
    .replace(/^listen:\n/, '')
    .replace('5347', String(port))
    .replace('the-component-secret', secret)
    .replace('upload.example.org', jid);
}

function toListeners(options: EjabberdOptions): string {
  const { domain } = account;
  const { gateway } = options;
  const listeners = [
    ...('componentPort' in options ? [toListener(`upload.${domain}`, options.componentPort, options.secret)] : []),
    ...(gateway === undefined ? [] : [toListener(`slidge.${domain}`, gateway.port, gateway.secret)]),
  ];
  return ['listen:', ...listeners].join('\n');
}

/** Who may do what: the README's rule for a gateway, beside that for users. */
function toAccess(options: EjabberdOptions): string {
  const rules = options.gateway !== undefined ? readmeBlock('yaml', 'access_rules') : 'acl:\naccess_rules:\n';
  return rules
    .replace('acl:\n', 'acl:\n  local: {user_regexp: ""}\n')
    .replace('access_rules:\n', 'access_rules:\n  local: {allow: local}\n')
    .replace('example.org', account.domain);
}

function toModules(folder: string, options: EjabberdOptions): string {
  if ('componentPort' in options) return 'modules:';
  const { baseUrl, secret, gateway } = options;
  const access = gateway === undefined ? '' : '\n    access: upload';
  return `${withNames(readmeBlock('yaml', 'mod_http_upload'), { baseUrl, secret, domain: account.domain })}${access}
    docroot: ${JSON.stringify(join(folder, 'spool', 'upload'))}`;
}

async function systemId(debian: Debian, option: '-u' | '-g'): Promise<number> {
  const [command, ...args] = debian.commandOf('id', [option, systemUser]);
  const { stdout } = await run(command, args);
  return Number(stdout);
}
