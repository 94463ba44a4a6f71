/*
 * Several processes that serve one address (node:cluster). The first process supervises the others, the workers. Only the
 * supervisor acts on signals, and tells the workers through the cluster channel to close: a service manager or a terminal
 * signals all processes at once, and for each of them a second signal would mean "end now". The supervisor replaces a
 * worker that dies. If a worker fails before any worker has listened, the start has failed and the supervisor ends.
 *
 *   worker → supervisor   'ready': it reads messages from now on                 'alive': a sign of life
 *   supervisor → worker   { start: the configuration }, the answer to 'ready'    'close'
 *
 * The workers share one listening socket, and each accepts connections by itself (SCHED_NONE). A connection stays in the
 * socket's queue until a worker accepts it, so a worker that hangs, closes or dies takes none along. By default, the supervisor
 * would accept each connection and hand it over: 37 % of the CPU time of a GET of 10 KiB on a new connection.
 *
 * Only the supervisor reads the configuration file, once. So a new worker starts also if the file has been changed or a
 * credential is gone. The channel carries the configuration, because /proc shows arguments and environment to others.
 */
import cluster, { type Worker } from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { messageOf } from '../errors.js';
import type { Limits } from '../retention/limits.js';
import type { UploadKey } from '../upload/upload-key.js';
import { describeTcpAddress, passedSocket } from './listen.js';
import type { Notify } from './service-manager.js';
import { shareLimits } from './shared-limits.js';

const readyMessage = 'ready';
const closeMessage = 'close';
const signOfLife = 'alive';
/** The pause before a dead worker is replaced. It doubles after each replacement that dies before it listens. */
const minPauseMs = 1000;
const maxPauseMs = 60_000;

/** Other modules use the same channel, so the part may be missing. */
interface ToWorker {
  readonly start?: Config;
}

/** True if this process is a worker. */
export const isWorker = cluster.isWorker;

/**
 * The file descriptor that a worker writes its log to: the standard output of the supervisor. A worker does not inherit it
 * as its own standard output, because Node.js makes that one blocking at the start and end of a process, also for the
 * other processes that share it.
 */
export const workersLogFd = 4;
const workersStdio = ['ignore', 'ignore', 'pipe', 'ipc', 1] as const;

/** The address that a worker listens on, as node:cluster reports it. */
interface ListeningAddress {
  /** `null` if the service manager passed the socket. */
  readonly address: string | null;
  readonly port: number;
  readonly addressType: 4 | 6 | -1 | 'udp4' | 'udp6';
}

function describeAddress({ address, port, addressType }: ListeningAddress): string {
  if (address === null) return passedSocket;
  if (addressType === -1) return `unix:${address}`;
  return describeTcpAddress(address, port);
}

function runningWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) => worker ?? []);
}

/** Starts workers that run the same command, sends them the configuration, and replaces those that die, until `close`. */
export class Supervisor {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #notify: Notify;
  readonly #limits: Limits;
  readonly #isStored: (key: UploadKey) => Promise<boolean>;
  /** The ids of the workers that were sent the configuration, and so read messages. */
  readonly #started = new Set<number>();
  readonly #listening = new Set<number>();
  readonly #alive = new Set<number>();
  #hasListened = false;
  #isReady = false;
  #isClosing = false;
  /** The number of workers that died since a worker last began to listen. */
  #failures = 0;

  constructor(
    config: Config,
    logger: Logger,
    notify: Notify,
    limits: Limits,
    isStored: (key: UploadKey) => Promise<boolean>,
  ) {
    this.#config = config;
    this.#logger = logger;
    this.#notify = notify;
    this.#limits = limits;
    this.#isStored = isStored;
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ stdio: [...workersStdio] });
    cluster.on('listening', (worker: Worker, address: ListeningAddress) => this.#welcome(worker, address));
    cluster.on('message', (worker: Worker, message: unknown) => {
      if (message === readyMessage) this.#start(worker);
      if (message === signOfLife) this.#passOnLife(worker);
    });
    cluster.on('exit', (worker: Worker, code: number | null, signal: string | null) => {
      if (!this.#isClosing) this.#replace(worker, code, signal);
    });
    for (let index = 0; index < config.workers; index += 1) this.#fork();
  }

  /** Tells the workers to finish the running transfers; resolves when all workers have ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(runningWorkers().map((worker) => this.#closeWorker(worker)));
  }

  #fork(): void {
    if (this.#isClosing) return;
    try {
      const worker = cluster.fork();
      // A worker's standard error carries messages that are not in its log, such as a crash of V8.
      worker.process.stderr?.pipe(process.stderr, { end: false });
      shareLimits(worker, this.#limits, this.#isStored);
      worker.on('error', (error) => this.#hearOfError(worker, error));
    } catch (error) {
      this.#tryAgain({ error: messageOf(error) }, 'cannot start a worker, trying again');
    }
  }

  /** Handles the error of a worker. A message to a dying worker fails, which needs no action: its exit is handled. */
  #hearOfError(worker: Worker, error: Error): void {
    const { pid } = worker.process;
    if (pid !== undefined) this.#logger.debug({ pid, error: messageOf(error) }, 'a message did not reach a worker');
    else this.#tryAgain({ error: messageOf(error) }, 'cannot start a worker, trying again');
  }

  #start(worker: Worker): void {
    if (this.#isClosing || !worker.isConnected()) return;
    this.#started.add(worker.id);
    worker.send({ start: this.#config } satisfies ToWorker);
  }

  #welcome(worker: Worker, address: ListeningAddress): void {
    this.#listening.add(worker.id);
    this.#hasListened = true;
    this.#failures = 0;
    if (this.#isReady) this.#logger.info({ pid: worker.process.pid }, 'a new worker is listening');
    const { workers } = this.#config;
    if (this.#isReady || this.#listening.size < workers) return;
    this.#isReady = true;
    this.#logger.info({ address: describeAddress(address), workers }, 'listening');
    this.#notify('READY=1', `STATUS=${workers} workers serve on ${describeAddress(address)}`);
  }

  #passOnLife({ id: aliveId }: Worker): void {
    this.#alive.add(aliveId);
    if (!runningWorkers().every(({ id }) => this.#alive.has(id) || !this.#listening.has(id))) return;
    this.#alive.clear();
    this.#notify('WATCHDOG=1');
  }

  #replace(worker: Worker, code: number | null, signal: string | null): void {
    this.#started.delete(worker.id);
    // The worker has printed the reason. A worker without an exit code was killed, perhaps with the whole service.
    if (!this.#hasListened && code !== null) {
      for (const other of runningWorkers()) other.process.kill('SIGKILL');
      // At 'close', all its output has been passed on.
      worker.process.once('close', () => process.exit(code || 1));
      return;
    }
    const line = { pid: worker.process.pid, code, signal };
    if (this.#listening.delete(worker.id)) this.#tryAgain(line, 'a worker ended unexpectedly, starting another');
    else this.#tryAgain(line, 'a worker ended before it listened, trying again');
  }

  #tryAgain(line: object, message: string): void {
    const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#logger.error({ ...line, pauseMs }, message);
    setTimeout(() => this.#fork(), pauseMs);
  }

  async #closeWorker(worker: Worker): Promise<void> {
    if (worker.isDead()) return;
    // events.once() would reject if a message to the worker fails.
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    // A worker without a configuration serves nobody, and may not read messages yet.
    if (!this.#started.has(worker.id)) worker.process.kill('SIGKILL');
    else if (worker.isConnected()) worker.send(closeMessage);
    await exit;
  }
}

/** The messages from the supervisor to a worker. */
export interface Orders {
  readonly config: Promise<Config>;
  /** Resolves when the worker must close, also because the supervisor has died. */
  readonly toClose: Promise<void>;
}

/** In a worker: reads messages of the supervisor from now on, and ignores signals. */
export function takeOrders(): Orders {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);
  // If the supervisor dies, sending fails, and "disconnect" follows.
  cluster.worker?.on('error', () => undefined);
  const toClose = new Promise<void>((resolve) => {
    process.on('message', (message) => message === closeMessage && resolve());
    process.once('disconnect', resolve);
  });
  const config = new Promise<Config>((resolve) => {
    process.on('message', ({ start }: ToWorker) => start !== undefined && resolve(start));
  });
  process.send?.(readyMessage);
  return { config, toClose };
}

/** Sends a sign of life to the supervisor. When all workers have sent one, it notifies the service manager. */
export function giveSignToSupervisor(): void {
  process.send?.(signOfLife);
}

/** In a worker: calls `close` and ends the process when the supervisor says so, after `delay` ms at the latest. */
export function closeOnOrder({ toClose }: Orders, delay: number, logger: Logger, close: () => Promise<unknown>): void {
  const closing = closeWithGrace({ delay, logger, skip: ['SIGTERM', 'SIGINT'] }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error in a worker, stopping it');
    await close();
  });
  toClose.then(() => closing.close());
}
