/*
 * Several processes that serve one address (node:cluster). The first one supervises: it alone takes signals, and tells
 * the workers over their channel to close, since a service manager or a terminal signals all of them at once and a second
 * signal means "at once". A worker that dies is replaced, but for one that never came to listen: then all end.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { AggregatorRegistry } from 'prom-client';
import type { Metrics } from '../metrics.js';
import type { Limits } from '../upload/limits.js';
import { closeOnSignal } from './close-on-signal.js';
import { describeTcpAddress, passedSocket } from './listen.js';
import type { Notify } from './service-manager.js';
import { shareLimits } from './shared-limits.js';

const closeMessage = 'close';
const signOfLife = 'alive';
/** More than a worker takes to close, so that each says itself why it is late. */
const supervisorMarginMs = 2000;
const restartDelayMs = 1000;

/** Whether this process is a worker of another one. */
export const isWorker = cluster.isWorker;

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

async function closeWorker(worker: Worker): Promise<void> {
  if (worker.isDead()) return;
  const exit = once(worker, 'exit');
  if (worker.isConnected()) worker.send(closeMessage);
  await exit;
}

function runningWorkers(): Worker[] {
  return Object.values(cluster.workers ?? {}).flatMap((worker) => worker ?? []);
}

/** Has the supervisor read this worker's metrics. */
export function tellSupervisor({ registry }: Metrics): void {
  AggregatorRegistry.setRegistries(registry);
  // Making one is what has a worker answer.
  new AggregatorRegistry();
}

/** Reads the metrics of all workers as one: sums, but for what is the same for all. */
export function readMetricsOfWorkers(): () => Promise<string> {
  const registry = new AggregatorRegistry();
  return () => registry.clusterMetrics();
}

/** Starts workers that run this same command, and keeps them running until a signal ends them all; closes the rest then. */
export function superviseWorkers(
  count: number,
  shutdownTimeoutMs: number,
  logger: Logger,
  notify: Notify,
  limits: Limits,
  closeRest: () => Promise<unknown>,
): void {
  const listening = new Set<number>();
  const alive = new Set<number>();
  let isClosing = false;

  cluster.on('fork', (worker: Worker) => shareLimits(worker, limits));
  cluster.on('listening', (worker: Worker, address: ListeningAddress) => {
    listening.add(worker.id);
    if (listening.size === count) {
      logger.info({ address: describeAddress(address), workers: count }, 'listening');
      notify('READY=1', `STATUS=${count} workers serve on ${describeAddress(address)}`);
    }
    if (listening.size > count) logger.info({ pid: worker.process.pid }, 'a new worker is listening');
  });
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (message !== signOfLife) return;
    alive.add(worker.id);
    if (!runningWorkers().every(({ id }) => alive.has(id) || !listening.has(id))) return;
    alive.clear();
    notify('WATCHDOG=1');
  });
  cluster.on('exit', (worker: Worker, code: number | null, signal: string | null) => {
    if (isClosing) return;
    if (!listening.has(worker.id)) {
      for (const other of runningWorkers()) other.kill('SIGKILL');
      process.exit(code ?? 1);
    }
    logger.error({ pid: worker.process.pid, code, signal }, 'a worker ended unexpectedly and is replaced');
    setTimeout(() => !isClosing && cluster.fork(), restartDelayMs);
  });
  closeOnSignal(shutdownTimeoutMs + supervisorMarginMs, logger, notify, async () => {
    isClosing = true;
    await Promise.all(runningWorkers().map(closeWorker));
    await closeRest();
  });
  for (let index = 0; index < count; index += 1) cluster.fork();
}

/** Tells the supervisor that this worker answers; when all have, the service manager hears of it. */
export function giveSignToSupervisor(): void {
  process.send?.(signOfLife);
}

/** Has a worker close when the supervisor says so or is gone; signals are the supervisor's. */
export function closeWithSupervisor(shutdownTimeoutMs: number, logger: Logger, close: () => Promise<void>): void {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.on(signal, () => undefined);
  const closing = closeWithGrace({ delay: shutdownTimeoutMs, logger, skip: [...signals] }, async ({ err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error in a worker, stopping it');
    await close();
  });
  // The metrics are asked for over the same channel.
  process.on('message', (message) => message === closeMessage && closing.close());
  process.once('disconnect', () => closing.close());
}
