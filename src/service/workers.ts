/*
 * Several processes that serve one address (node:cluster). The first one supervises: it alone takes signals, and tells
 * the workers over their channel to close, since a service manager or a terminal signals all of them at once and a second
 * signal means "at once". A worker that dies is replaced. Only a start that fails before any worker has listened ends all.
 *
 *   worker → supervisor   'ready': it listens for messages from now on       'alive': a sign of life
 *   supervisor → worker   { start: the configuration }, which answers 'ready'   'close'
 *
 * The supervisor alone has read the configuration: a change or a mistake in the file, or a credential that is gone by
 * then, changes nothing for a replacement. The channel carries it, since /proc shows arguments and environment.
 */
import cluster, { type Worker } from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { messageOf } from '../errors.js';
import type { Limits } from '../retention/limits.js';
import { describeTcpAddress, passedSocket } from './listen.js';
import type { Notify } from './service-manager.js';
import { shareLimits } from './shared-limits.js';

const readyMessage = 'ready';
const closeMessage = 'close';
const signOfLife = 'alive';
/** The first pause before a dead worker is replaced; it doubles as long as no replacement comes to listen. */
const minPauseMs = 1000;
const maxPauseMs = 60_000;

/** Other modules use the channel too, so the part may be missing. */
interface ToWorker {
  readonly start?: Config;
}

/** Whether this process is a worker of another one. */
export const isWorker = cluster.isWorker;

/**
 * The descriptor that a worker writes its log to, the supervisor's standard output. It is not the worker's own standard
 * output or error, since Node.js has those block at the start and end of a process, for all that share the socket.
 */
export const workersLogFd = 4;
const workersStdio = ['ignore', 'ignore', 'pipe', 'ipc', 1] as const;

/** What the cluster says of a worker's listening socket. */
interface ListeningAddress {
  /** `null` for a socket that the service manager passed. */
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

/** Starts workers that run this same command with this configuration, and keeps them running until it closes them. */
export class Supervisor {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #notify: Notify;
  readonly #limits: Limits;
  /** Those that have the configuration, and so listen for messages. */
  readonly #started = new Set<number>();
  readonly #listening = new Set<number>();
  readonly #alive = new Set<number>();
  #hasListened = false;
  #isReady = false;
  #isClosing = false;
  /** How many have died since one has last begun to listen. */
  #failures = 0;

  constructor(config: Config, logger: Logger, notify: Notify, limits: Limits) {
    this.#config = config;
    this.#logger = logger;
    this.#notify = notify;
    this.#limits = limits;
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

  /** Has the workers finish what they are doing, and resolves when all have ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(runningWorkers().map((worker) => this.#closeWorker(worker)));
  }

  #fork(): void {
    if (this.#isClosing) return;
    try {
      const worker = cluster.fork();
      // Anything beside its log, such as V8's last words.
      worker.process.stderr?.pipe(process.stderr, { end: false });
      shareLimits(worker, this.#limits);
      worker.on('error', (error) => this.#hearOfError(worker, error));
    } catch (error) {
      this.#tryAgain({ error: messageOf(error) }, 'a worker cannot be started and is tried again');
    }
  }

  /** A message to a dying worker fails. Its end is handled when it exits. */
  #hearOfError(worker: Worker, error: Error): void {
    const { pid } = worker.process;
    if (pid !== undefined) this.#logger.debug({ pid, error: messageOf(error) }, 'a message did not reach a worker');
    else this.#tryAgain({ error: messageOf(error) }, 'a worker cannot be started and is tried again');
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
    // It has said why. One that somebody killed has not failed: this process may be signalled in a moment too.
    if (!this.#hasListened && code !== null) {
      for (const other of runningWorkers()) other.process.kill('SIGKILL');
      // First its last output is passed on.
      worker.process.once('close', () => process.exit(code || 1));
      return;
    }
    const line = { pid: worker.process.pid, code, signal };
    if (this.#listening.delete(worker.id)) this.#tryAgain(line, 'a worker ended unexpectedly and is replaced');
    else this.#tryAgain(line, 'a worker ended before it was listening and is tried again');
  }

  #tryAgain(line: object, message: string): void {
    const pauseMs = Math.min(maxPauseMs, minPauseMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#logger.error({ ...line, pauseMs }, message);
    setTimeout(() => this.#fork(), pauseMs);
  }

  async #closeWorker(worker: Worker): Promise<void> {
    if (worker.isDead()) return;
    // Not events.once(), which rejects when a message fails.
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    // Without a configuration it serves nobody, and may not listen for messages yet.
    if (!this.#started.has(worker.id)) worker.process.kill('SIGKILL');
    else if (worker.isConnected()) worker.send(closeMessage);
    await exit;
  }
}

/** What a worker hears from its supervisor. */
export interface Orders {
  readonly config: Promise<Config>;
  /** Resolves when the worker is to close, or its supervisor is gone. */
  readonly toClose: Promise<void>;
}

/** In a worker: listens to the supervisor from now on, and leaves signals to it. */
export function takeOrders(): Orders {
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);
  // A message fails when the supervisor is gone, which "disconnect" says too.
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

/** Tells the supervisor that this worker answers; when all have, the service manager hears of it. */
export function giveSignToSupervisor(): void {
  process.send?.(signOfLife);
}

/** Has a worker close when it is told so, and end after the delay (ms) in any case; signals are the supervisor's. */
export function closeOnOrder({ toClose }: Orders, delay: number, logger: Logger, close: () => Promise<unknown>): void {
  const closing = closeWithGrace({ delay, logger, skip: ['SIGTERM', 'SIGINT'] }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error in a worker, stopping it');
    await close();
  });
  toClose.then(() => closing.close());
}
