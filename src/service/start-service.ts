import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import type { Config } from '../config/config.js';
import { type Log, openLog } from '../log.js';
import { closeOnSignal } from './close-on-signal.js';
import { setDiskThreads } from './disk-threads.js';
import { removeStaleSocket } from './listen.js';
import { openServedStore } from './open-configured-store.js';
import { type Running, serveAlone, serveInWorker, serveInWorkers } from './processes.js';
import { findServiceManager, notifier } from './service-manager.js';
import { closeOnOrder, isWorker, takeOrders, workersLogFd } from './workers.js';

/** How long closing may take after shutdownTimeout has aborted the transfers. A process that takes longer hangs. */
const closingMarginMs = 5000;

/** The supervisor waits longer than a worker may take to close, so that each worker can log why it is late. */
const supervisorMarginMs = 2000;

async function openConfiguredLog({ logFormat, logLevel }: Config): Promise<Log> {
  const fd = isWorker ? workersLogFd : process.stdout.fd;
  const isPretty = logFormat === 'auto' ? isatty(fd) : logFormat === 'pretty';
  const log = await openLog(logLevel, isPretty ? 'pretty' : 'json', fd);
  process.once('exit', log.flush);
  return log;
}

function findOwnServiceManager() {
  return findServiceManager(process.env, isWorker ? process.ppid : process.pid);
}

/** In a worker: serves with the configuration that the supervisor sends, until the supervisor tells it to close. */
export async function startWorker(configFile: string): Promise<void> {
  const orders = takeOrders();
  const config = await orders.config;
  const log = await openConfiguredLog(config);
  let running: Running | undefined;
  // A worker that is not listening yet has nothing to finish.
  closeOnOrder(orders, config.shutdownTimeoutMs + closingMarginMs, log.logger, async () => running?.close());
  // The supervisor has tried the store. A worker whose trial fails would end the whole server.
  const { store } = await openServedStore(config, configFile, true, (message) => log.logger.warn(message));
  running = await serveInWorker(config, store, log, findOwnServiceManager());
}

/**
 * Serves uploads until a signal ends the process; resolves once it serves. `greet` is called when the log and the store are
 * open. Throws a ConfigError or a ListenError if it cannot start.
 */
export async function startService(
  config: Config,
  configFile: string,
  greet: (logger: Logger) => Promise<void>,
): Promise<void> {
  setDiskThreads(config);
  const isAlone = config.workers === 1;
  const serviceManager = findOwnServiceManager();
  const log = await openConfiguredLog(config);
  const { logger } = log;
  const notify = notifier(serviceManager, logger);
  let running: Promise<Running> | undefined;
  // Signals are handled before anything is opened, so that none is lost: closing waits for what is being opened.
  const delay = config.shutdownTimeoutMs + closingMarginMs + (isAlone ? 0 : supervisorMarginMs);
  closeOnSignal(delay, logger, notify, () =>
    Promise.resolve(running).then(
      (opened) => opened?.close(),
      () => undefined,
    ),
  );
  const { store, warnings } = await openServedStore(config, configFile, false, (message) => logger.warn(message));
  await greet(logger);
  for (const warning of warnings) logger.warn(warning);
  if (serviceManager.passedSockets !== 0) logger.info('the service manager passed a socket, so listenPort is ignored');
  else if ('path' in config.listen) await removeStaleSocket(config.listen.path);
  running = isAlone
    ? serveAlone(config, store, log, serviceManager, notify)
    : serveInWorkers(config, store, log, notify);
  await running;
}
