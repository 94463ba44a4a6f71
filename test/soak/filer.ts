import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/peers.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import type { Teardown } from '../support/temp-dir.js';
import type { Dice } from './dice.js';
import type { History } from './history.js';
import type { LogWatch } from './log-watch.js';
import { Troubles } from './troubles.js';

/** The longest time of a timer. */
const forEverMs = 2 ** 31 - 1;

/** A process of the program, as the kernel sees it. */
export interface ProcessFacts {
  readonly pid: number;
  readonly files: number;
  /** The most memory that it has had, MiB. */
  readonly peakMiB: number;
}

/** The program with two workers, through all its restarts. Its addresses stay the same. */
export class Filer {
  /** When its processes came and went. */
  readonly troubles = new Troubles();
  readonly origin: string;
  readonly metricsOrigin: string;
  readonly #t: Teardown;
  readonly #settings: Settings;
  readonly #log: LogWatch;
  readonly #history: History;
  readonly #fail: (error: unknown) => void;
  #program: Program | undefined;

  private constructor(
    t: Teardown,
    settings: Settings,
    { log, history, fail }: { log: LogWatch; history: History; fail(error: unknown): void },
    ports: readonly number[],
  ) {
    const [port, metricsPort] = ports;
    this.origin = `http://127.0.0.1:${port}`;
    this.metricsOrigin = `http://127.0.0.1:${metricsPort}`;
    this.#t = t;
    this.#settings = { ...settings, listenPort: `127.0.0.1:${port}`, metricsListen: `127.0.0.1:${metricsPort}` };
    this.#log = log;
    this.#history = history;
    this.#fail = fail;
  }

  /** Starts the program; `settingsFor` is told its port. */
  static async start(
    t: Teardown,
    settingsFor: (port: number) => Settings,
    parts: { log: LogWatch; history: History; fail(error: unknown): void },
  ): Promise<Filer> {
    const ports = [await freePort(), await freePort()];
    const filer = new Filer(t, settingsFor(ports[0] ?? 0), parts, ports);
    await filer.#start();
    return filer;
  }

  /** Kills one worker, and waits until another one listens. */
  async killWorker(dice: Dice): Promise<void> {
    const worker = dice.pickAny(await this.#workers());
    if (worker === undefined) return;
    const before = this.#log.newWorkers;
    const end = this.troubles.begin();
    this.#log.killed.add(worker);
    this.#history.note('worker killed', String(worker));
    process.kill(worker, 'SIGKILL');
    await eventually(() => this.#log.newWorkers > before);
    end();
  }

  /** Ends the program with a signal, and starts it again. */
  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const end = this.troubles.begin();
    await this.stop(signal);
    await this.#start();
    end();
  }

  /** Ends the program. After SIGTERM it must end well. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const program = this.#program;
    if (program === undefined) return;
    this.#history.note(signal);
    const end = await program.stop(signal);
    this.#history.note('ended');
    if (signal === 'SIGTERM') assert.deepEqual(end, { code: 0, signal: null }, this.#history.violation('exit').message);
    const strange = program
      .output()
      .split('\n')
      .find((line) => line !== '' && !line.startsWith('{'));
    // A kill may cut off a line.
    if (strange !== undefined && signal === 'SIGTERM') throw this.#history.violation(`printed: ${strange}`);
  }

  /** The supervisor and its workers. */
  async processes(): Promise<ProcessFacts[]> {
    const pids = [this.#program?.pid ?? 0, ...(await this.#workers())];
    return Promise.all(
      pids.map(async (pid) => {
        const status = await readFile(`/proc/${pid}/status`, 'utf8');
        const files = (await readdir(`/proc/${pid}/fd`)).length;
        return { pid, files, peakMiB: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024 };
      }),
    );
  }

  async #workers(): Promise<number[]> {
    const pid = this.#program?.pid ?? 0;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    return children.split(' ').filter(Boolean).map(Number);
  }

  async #start(): Promise<void> {
    const program = await startProgram(this.#t, this.#settings);
    this.#history.note('started');
    this.#program = program;
    // Sees every line until the program ends, and so never resolves.
    program
      .waitForLog((line) => {
        try {
          this.#log.see(line);
        } catch (error) {
          this.#fail(error);
        }
        return false;
      }, forEverMs)
      .catch(() => undefined);
  }
}
