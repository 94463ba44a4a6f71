import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { programCommand } from './command.js';
import { type ExitStatus, RunningProcess } from './running-process.js';
import { type Teardown, tempDir } from './temp-dir.js';

type Setting = string | number | boolean | readonly string[] | undefined;
type Table = Readonly<Record<string, Setting>>;

/** Settings as they stand in config.toml, those of tables under their name; what is `undefined` is left out. */
export type Settings = Readonly<Record<string, Setting | Table | readonly Table[]>>;

/** One line of the program's JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The built program, running as a process of its own. */
export interface Program {
  readonly origin: string;
  /** The base URL of uploads, `origin` and `/upload/`, unless the test sets another uploadSubDir. */
  readonly uploadUrl: string;
  readonly secret: string;
  readonly pid: number;
  readonly storeDir: string;
  readonly configFile: string;
  /** How many descriptors it has open. */
  openFiles(): Promise<number>;
  /** The most memory it has had so far, and what it has now, in MiB. */
  memory(): Promise<{ readonly peak: number; readonly now: number }>;
  /** The JSON lines logged so far. */
  logLines(): LogLine[];
  /** Everything printed so far, JSON or not. */
  output(): string;
  /** Resolves to the first log line, past or future, for which `predicate` holds. */
  waitForLog(predicate: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** Ends the program with a signal, SIGTERM if none is named, and says how it ended. */
  stop(signal?: NodeJS.Signals): Promise<ExitStatus>;
}

/** The process that runs dist/main.js with this configuration, and not the command that it was started by. */
async function findPid(configFile: string): Promise<number> {
  // The supervisor of several workers is older than they are.
  const pids = (await readdir('/proc'))
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
  for (const pid of pids) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const [program, ...args] = commandLine.split('\0');
    if (program === process.execPath && args.includes(configFile)) return pid;
  }
  throw new Error(`no process has ${configFile}`);
}

async function memoryOf(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mebibytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { peak: mebibytes('VmHWM'), now: mebibytes('VmRSS') };
}

/** Writes settings over the tests' own ones, a new secret and a new storeDir among them; hooks of `t` remove the folders. */
export async function writeConfig(t: Teardown, settings: Settings) {
  const used = {
    listenPort: '127.0.0.1:0',
    secret: randomBytes(24).toString('base64url'),
    storeDir: settings['s3'] === undefined ? await tempDir(t) : undefined,
    uploadSubDir: 'upload/',
    logFormat: 'json',
    ...settings,
  };
  const configFile = join(await tempDir(t), 'config.toml');
  await writeFile(configFile, toToml(used));
  return { configFile, used };
}

/**
 * Starts dist/main.js on a free port, by itself or as the last arguments of a command such as `prlimit` or `strace`;
 * rejects with what it printed if it ends before it listens.
 */
export async function startProgram(
  t: Teardown,
  settings: Settings = {},
  command: readonly string[] = [],
): Promise<Program> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the program, then its folders
  const { configFile, used } = await writeConfig(t, settings);
  const [executable = '', ...args] = [...command, ...programCommand, '--config', configFile];
  const program = new RunningProcess(executable, args);
  running = program;
  const waitForLog: Program['waitForLog'] = async (predicate, timeoutMs) => {
    const matches = (line: string): boolean => toLogLines([line]).some(predicate);
    return JSON.parse(await program.waitForLine(matches, timeoutMs));
  };
  const { address } = await waitForLog((line) => line['msg'] === 'listening');
  const origin = String(address);
  // A command may have started the program as another process.
  const pid = (command.length === 0 ? program.pid : undefined) ?? (await findPid(configFile));
  return {
    origin,
    uploadUrl: `${origin}/upload/`,
    secret: String(used.secret),
    pid,
    openFiles: async () => (await readdir(`/proc/${pid}/fd`)).length,
    memory: () => memoryOf(pid),
    storeDir: String(used.storeDir),
    configFile,
    logLines: () => toLogLines(program.lines),
    output: () => program.lines.join('\n'),
    waitForLog,
    stop: (signal) => program.stop(signal),
  };
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && (!Array.isArray(value) || value.some(isTable));
}

/** Settings as TOML: JSON's strings, numbers, booleans and arrays of strings are TOML's as well; tables stand last. */
export function toToml(settings: Settings): string {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  const lines = entries
    .filter(([, value]) => !isTable(value))
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  const tables = entries
    .filter(([, value]) => isTable(value))
    .flatMap(([name, value]) =>
      Array.isArray(value)
        ? value.map((table: Settings) => `[[${name}]]\n${toToml(table)}`)
        : [`[${name}]\n${toToml(value as Settings)}`],
    );
  return [...lines, ...tables].join('');
}

function toLogLines(lines: readonly string[]): LogLine[] {
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}
