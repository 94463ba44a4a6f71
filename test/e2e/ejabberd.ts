import { execFile } from 'node:child_process';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePort, skipOrFail } from '../support/peers.js';
import { readmeBlock, withNames } from '../support/readme.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { type Debian, thisDebian } from './debian.js';
import type { XmppServer } from './xmpp-client.js';

/** How mod_http_upload is set. */
export interface ModuleOptions {
  readonly baseUrl: string;
  readonly secret: string;
}

/** For a component that connects to ejabberd: where it is taken, and by which secret. */
export interface ComponentOptions {
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
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const port = await freePort();
  const [uid, gid] = [await systemId(debian, '-u'), await systemId(debian, '-g')];
  // Erlang keeps its cookie in HOME. Each account gets a folder that it can write to.
  const environment = { env: { PATH: process.env['PATH'], HOME: folder } };

  await writeConfig(folder, port, options);
  for (const path of ['', 'spool', 'logs']) await chown(join(folder, path), uid, gid);

  const args = [
    ...['-n', 'prosody-filer-test@localhost', '-c', join(folder, 'ejabberdctl.cfg')],
    ...['-s', join(folder, 'spool'), '-l', join(folder, 'logs')],
    ...['-d', folder, '-f', join(folder, 'ejabberd.yml')],
  ];
  const [ejabberdctl, ...first] = debian.commandOf('ejabberdctl', args, systemUser);
  const ejabberd = new RunningProcess(ejabberdctl, [...first, 'foreground'], environment);
  running = ejabberd;
  await ejabberd.waitForLine((line) => line.includes(`connections at 127.0.0.1:${port} for`));
  const { username, domain, password } = account;
  await run(ejabberdctl, [...first, 'register', username, domain, password], environment);
  return { ...account, port };
}

async function writeConfig(folder: string, port: number, options: EjabberdOptions): Promise<void> {
  await mkdir(join(folder, 'spool'));
  await mkdir(join(folder, 'logs'));
  await writeFile(join(folder, 'ejabberd.yml'), toConfig(folder, port, options));
  await writeFile(join(folder, 'inetrc'), '');
  // With a port of its own for Erlang's distribution no epmd is started that would stay behind.
  // The trap makes the shell wait for Erlang when the process group is told to end.
  const lines = [`ERL_DIST_PORT=${await freePort()}`, 'INET_DIST_INTERFACE=127.0.0.1', 'trap : TERM'];
  await writeFile(join(folder, 'ejabberdctl.cfg'), `${lines.join('\n')}\n`);
}

function toConfig(folder: string, port: number, options: EjabberdOptions): string {
  return `
hosts: [${account.domain}]
loglevel: info
${toListeners(options)}
  - {port: ${port}, ip: "127.0.0.1", module: ejabberd_c2s}
acl: {local: {user_regexp: ""}}
access_rules: {local: {allow: local}}
${toModules(folder, options)}
  mod_disco: {}
`;
}

function toListeners(options: EjabberdOptions): string {
  if (!('componentPort' in options)) return 'listen:';
  return readmeBlock('yaml', 'ejabberd_service')
    .replace('5347', String(options.componentPort))
    .replace('the-component-secret', options.secret)
    .replace('example.org', account.domain);
}

function toModules(folder: string, options: EjabberdOptions): string {
  if ('componentPort' in options) return 'modules:';
  const { baseUrl, secret } = options;
  return `${withNames(readmeBlock('yaml', 'mod_http_upload'), { baseUrl, secret, domain: account.domain })}
    docroot: ${JSON.stringify(join(folder, 'spool', 'upload'))}`;
}

async function systemId(debian: Debian, option: '-u' | '-g'): Promise<number> {
  const [command, ...args] = debian.commandOf('id', [option, systemUser]);
  const { stdout } = await run(command, args);
  return Number(stdout);
}
