import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** How a process ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The working directory, the environment and the user of a process. */
export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

const killAfterMs = 10_000;

/** A process, leader of its own process group, that never outlives the process that runs the test. */
export class RunningProcess {
  /** Every line written to stdout and stderr so far. */
  readonly lines: string[] = [];
  readonly #command: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #watchers = new Set<() => void>();
  readonly #end: Promise<ExitStatus>;
  #status: ExitStatus | undefined;
  #failure: Error | undefined;

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#command = command;
    this.#child = spawn(command, args, {
      ...options,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const input of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    this.#end = this.#watchEnd();
  }

  /** The process's id, `undefined` if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves to how the process ended. */
  get ended(): Promise<ExitStatus> {
    return this.#end;
  }

  /** Resolves to the first line, past or future, that matches; rejects at the end or the time limit. */
  waitForLine(matches: (line: string) => boolean, timeoutMs = 60_000): Promise<string> {
    return new Promise((resolve, reject) => {
      let next = 0;
      const look = (): void => {
        const found = this.lines.slice(next).find(matches);
        next = this.lines.length;
        if (found === undefined && this.#status === undefined) return;
        stopWaiting();
        if (found === undefined) reject(this.#complaint('ended'));
        else resolve(found);
      };
      const stopWaiting = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const timer = setTimeout(() => {
        stopWaiting();
        reject(this.#complaint(`did not say in ${timeoutMs} ms what was waited for`));
      }, timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Ends the process and its group with a signal, after ten seconds with SIGKILL. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<ExitStatus> {
    this.#signal(signal);
    const timer = setTimeout(() => this.#signal('SIGKILL'), killAfterMs);
    return this.#end.finally(() => clearTimeout(timer));
  }

  #watchEnd(): Promise<ExitStatus> {
    const kill = (): void => this.#signal('SIGKILL');
    const killAndDie = (signal: NodeJS.Signals): void => {
      kill();
      process.kill(process.pid, signal);
    };
    process.once('exit', kill).once('SIGINT', killAndDie).once('SIGTERM', killAndDie);
    this.#child.once('error', (error) => {
      this.#failure = error;
    });
    return new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        process.off('exit', kill).off('SIGINT', killAndDie).off('SIGTERM', killAndDie);
        this.#status = { code, signal };
        resolve(this.#status);
        this.#wake();
      });
    });
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#status !== undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The whole group is gone; only its output is still to be read.
    }
  }

  #wake(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #complaint(what: string): Error {
    const how = this.#status === undefined ? '' : ` (${this.#status.signal ?? this.#status.code})`;
    const said = this.lines.join('\n');
    return new Error(`${this.#command} ${what}${how}; it said:\n${said}`, { cause: this.#failure });
  }
}
