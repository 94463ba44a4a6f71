import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { programCommand } from '../support/command.js';
import { isListening } from '../support/listening.js';
import { layoutSettings } from '../support/nginx-example.js';
import { findProgram, freePort } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { cpuSecondsOf, type IdleMemory, idleMemoryOf, processesOf } from './processes.js';
import { type Dialect, fileName, type Peer } from './requests.js';
import { type Front, nginxConfig, nginxFrontConfig, prosodyConfig } from './server-configs.js';
import type { RequestKind } from './workloads.js';

/** A running server. */
export interface Server {
  readonly name: string;
  readonly peer: Peer;
  /** Its processes. */
  readonly pids: readonly string[];
  /** The kinds of requests with which it is measured. */
  readonly kinds: readonly RequestKind[];
  /** Where it keeps the upload of a slot. */
  fileOf(slot: string): string;
  stop(): Promise<unknown>;
}

/** How to start a server. */
interface Recipe {
  readonly name: string;
  readonly dialect: Dialect;
  readonly configName: string;
  config(folder: string, port: number): string;
  command(configFile: string): string[];
  fileOf(folder: string, slot: string): string;
  /** The nginx that stands in front of it. */
  readonly front?: Front;
  readonly kinds: readonly RequestKind[];
}

const secret = 'a secret of the benchmark';
/** Enough for 1,000 uploads at once, each with a connection and a file. */
const openFiles = 8192;
const readyMs = 20_000;

const allKinds = ['put', 'get', 'head', 'refuse'] as const;
const bodyKinds = ['put', 'get'] as const;

type Settings = Readonly<Record<string, string | number>>;

/** A server that takes the configuration of prosody-filer. */
function filer(name: string, settings: Settings, start: readonly string[] = programCommand): Recipe {
  return {
    name,
    dialect: 'filer',
    configName: 'config.toml',
    config: (folder, port) => {
      const all = { listenPort: `127.0.0.1:${port}`, secret, storeDir: `${folder}/store`, uploadSubDir: 'upload/' };
      return Object.entries({ ...all, ...settings })
        .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
        .join('');
    },
    command: (configFile) => {
      const isNamed = start.some((part) => part.includes('{config}'));
      return isNamed ? start.map((part) => part.replace('{config}', configFile)) : [...start, '--config', configFile];
    },
    fileOf: (folder, slot) => path.join(folder, 'store', slot, fileName),
    kinds: allKinds,
  };
}

/** As fast and as careless as nginx. */
const asNginx = { durability: 'none', logLevel: 'warn' };

/** Another program that takes the configuration of the Go program, alone and behind nginx. */
function otherFilers(command: string | undefined): Recipe[] {
  if (command === undefined) return [];
  const recipe = filer('BENCH_PEER', { logLevel: 'warn' }, command.split(' '));
  return [recipe, { ...recipe, name: 'BENCH_PEER behind nginx', front: 'a', kinds: bodyKinds }];
}

function nginxCommand(configFile: string): string[] {
  return [findProgram('nginx') ?? 'nginx', '-c', configFile, '-e', 'stderr'];
}

const recipes: readonly Recipe[] = [
  {
    name: 'nginx',
    dialect: 'nginx',
    configName: 'nginx.conf',
    config: nginxConfig,
    command: nginxCommand,
    fileOf: (folder, slot) => path.join(folder, 'upload', slot, fileName),
    kinds: allKinds,
  },
  filer('filer', asNginx),
  filer('filer, sync', { ...asNginx, durability: 'sync' }),
  filer('filer, 2 workers', { ...asNginx, workers: 2 }),
  { ...filer('behind nginx', { ...asNginx, ...layoutSettings.b }), front: 'init', kinds: bodyKinds },
  { ...filer('behind nginx (a)', asNginx), front: 'a', kinds: bodyKinds },
  { ...filer('behind nginx (b)', { ...asNginx, ...layoutSettings.b }), front: 'b', kinds: bodyKinds },
  { ...filer('behind nginx (c)', asNginx), front: 'c', kinds: ['get'] },
  ...otherFilers(process.env['BENCH_PEER']),
  {
    name: 'Prosody',
    dialect: 'prosody',
    configName: 'prosody.cfg.lua',
    config: (folder, port) => prosodyConfig(folder, port, secret),
    command: (configFile) => [findProgram('prosody') ?? 'prosody', '-F', '--config', configFile],
    fileOf: (folder, slot) => path.join(folder, 'data', 'upload', 'http_file_share', `${slot}.bin`),
    kinds: allKinds,
  },
];

/** Starts what listens on the port, with its configuration in this file; rejects with its log if it does not listen. */
async function startListener(configFile: string, config: string, command: readonly string[], port: number) {
  await writeFile(configFile, config);
  const log = `${configFile}.log`;
  // To a file: a pipe would keep this process busy while it measures.
  const redirect = ['-c', `ulimit -n ${openFiles}; exec "$@" >"$0" 2>&1`, log];
  const running = new RunningProcess('sh', [...redirect, ...command]);
  const stop = () => running.stop();
  const deadline = Date.now() + readyMs;
  while (!(await isListening(port))) {
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`what has ${configFile} does not listen: ${await readFile(log, 'utf8')}`);
    }
    await wait(50);
  }
  return { pids: processesOf(configFile), stop };
}

async function startFront(front: Front, folder: string, filerPort: number) {
  const port = await freePort();
  const configFile = path.join(folder, 'nginx.conf');
  const config = nginxFrontConfig(folder, port, front, filerPort);
  return { port, ...(await startListener(configFile, config, nginxCommand(configFile), port)) };
}

async function start(recipe: Recipe, folder: string): Promise<Server> {
  const port = await freePort();
  const configFile = path.join(folder, recipe.configName);
  await mkdir(folder);
  const own = await startListener(configFile, recipe.config(folder, port), recipe.command(configFile), port);
  const { name, dialect, kinds } = recipe;
  const fileOf = (slot: string) => recipe.fileOf(folder, slot);
  if (recipe.front === undefined) return { name, peer: { dialect, port, secret }, ...own, kinds, fileOf };
  try {
    const front = await startFront(recipe.front, folder, port);
    const peer = { dialect, port: front.port, secret };
    const stop = () => Promise.all([front.stop(), own.stop()]);
    return { name, peer, pids: [...front.pids, ...own.pids], kinds, fileOf, stop };
  } catch (error) {
    await own.stop();
    throw error;
  }
}

/** Starts all servers, each with a folder of its own below this one; nginx comes first. */
export async function startServers(folder: string): Promise<Server[]> {
  const servers: Server[] = [];
  try {
    for (const recipe of recipes)
      servers.push(await start(recipe, path.join(folder, recipe.name.replace(/\W+/g, '-'))));
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

/** A start of the program, with a configuration as nginx's: what it cost until it listened, and its memory when idle. */
export interface Start {
  readonly cpuMs: number;
  readonly idle: IdleMemory;
}

const settlingMs = 1000;

/** Starts the program by this command in a folder of its own. */
export function startProgram(folder: string, command: readonly string[]): Promise<Server> {
  return start(filer('filer', asNginx, command), folder);
}

/** Starts the program once with this Node.js in a folder of its own, and stops it. */
export async function measureStart(folder: string, node: string): Promise<Start> {
  const [, ...args] = programCommand;
  const server = await startProgram(folder, [node, ...args]);
  try {
    const cpuMs = 1000 * cpuSecondsOf(server.pids);
    await wait(settlingMs);
    const [pid = ''] = server.pids;
    return { cpuMs, idle: idleMemoryOf(pid) };
  } finally {
    await server.stop();
  }
}
