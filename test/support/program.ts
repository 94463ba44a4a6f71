import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { mainFile } from './command.js';
import { type ExitStatus, RunningProcess } from './running-process.js';
import { tempDir } from './temp-dir.js';

/** Top-level settings as they stand in config.toml. */
export type Settings = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** One line of the program's JSON log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The built program, running as a process of its own. */
export interface Program {
  readonly origin: string;
  /** `origin` and `/upload/`: where uploads lie unless the test sets another uploadSubDir. */
  readonly uploadUrl: string;
  readonly secret: string;
  readonly pid: number | undefined;
  readonly storeDir: string;
  /** The JSON lines logged so far. */
  logLines(): LogLine[];
  /** Everything printed so far, JSON or not. */
  output(): string;
  /** Resolves to the first log line, past or future, for which `predicate` holds. */
  waitForLog(predicate: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  /** Ends the program with a signal, SIGTERM if none is named, and says how it ended. */
  stop(signal?: NodeJS.Signals): Promise<ExitStatus>;
}

/** Starts dist/main.js on a free port; rejects with what it printed if it ends before it listens. */
export async function startProgram(t: Pick<TestContext, 'after'>, settings: Settings = {}): Promise<Program> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the program, then its folders
  const secret = randomBytes(24).toString('base64url');
  const used = {
    listenPort: '127.0.0.1:0',
    secret,
    storeDir: await tempDir(t),
    uploadSubDir: 'upload/',
    logFormat: 'json',
    ...settings,
  };
  const configFile = join(await tempDir(t), 'config.toml');
  await writeFile(configFile, toToml(used));

  const program = new RunningProcess(process.execPath, [mainFile, '--config', configFile]);
  running = program;
  const waitForLog: Program['waitForLog'] = async (predicate, timeoutMs) => {
    const matches = (line: string): boolean => toLogLines([line]).some(predicate);
    return JSON.parse(await program.waitForLine(matches, timeoutMs));
  };
  const { address } = await waitForLog((line) => line['msg'] === 'listening');
  const origin = String(address);
  return {
    origin,
    uploadUrl: `${origin}/upload/`,
    secret: String(used.secret),
    pid: program.pid,
    storeDir: String(used.storeDir),
    logLines: () => toLogLines(program.lines),
    output: () => program.lines.join('\n'),
    waitForLog,
    stop: (signal) => program.stop(signal),
  };
}

/** JSON's strings, numbers, booleans and arrays of strings are TOML's as well. */
function toToml(settings: Settings): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `${lines.join('\n')}\n`;
}

function toLogLines(lines: readonly string[]): LogLine[] {
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
}
