import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Logger } from 'pino';
import { defaultBaseUrl } from '../config/base-url.js';
import { type Config, ConfigError } from '../config/config.js';
import { writeDefaultConfig } from '../config/default-config.js';
import { loadConfig } from '../config/load-config.js';
import { makeSnippets } from '../config/snippets.js';
import { cronWarning, findCronDeletions } from '../diagnosis/local/find-cron-deletions.js';
import { FilerError } from '../errors.js';
import { type Log, openLog } from '../log.js';
import { compileRetention } from '../retention/expiry.js';
import { tombstonePhases } from '../retention/tombstone-phase.js';
import { closeOnSignal } from '../service/close-on-signal.js';
import { removeStaleSocket } from '../service/listen.js';
import { type Running, serveAlone, serveInWorker, serveInWorkers } from '../service/processes.js';
import { notifier, type ServiceManager } from '../service/service-manager.js';
import { closeOnOrder, isWorker, takeOrders } from '../service/workers.js';
import { openStore } from '../storage/open-store.js';
import { UploaderIds } from '../upload/uploader.js';

/** How long closing may take once transfers are broken off at shutdownTimeout. A process that takes longer hangs. */
const closingMarginMs = 5000;

/** More than a worker takes to close, so that each says itself why it is late. */
const supervisorMarginMs = 2000;

/** What `serve` is started with. */
export interface ServeOptions {
  readonly configFile: string;
  /** Whether to write a configuration with a random secret where there is none. */
  readonly createConfig: boolean;
  /** The descriptor that the log is written to; a socket must be one that does not block. */
  readonly logFd: number;
  /** Has a function called at the very end of the process, however it ends. */
  readonly atExit: (callback: () => void) => void;
  readonly serviceManager: ServiceManager;
}

function logCreation(logger: Logger, configFile: string): void {
  const secret = `the secret in ${configFile}`;
  const { prosodyExternal, ejabberd } = makeSnippets({ baseUrl: defaultBaseUrl, secret, deleteSecret: secret });
  logger.info(`wrote ${configFile} with a random secret; uploads go to ./upload/`);
  logger.info(
    `for Prosody, paste (the comments of ${configFile} have it with the secret filled in):\n${prosodyExternal}`,
  );
  logger.info(`for ejabberd, paste:\n${ejabberd}`);
}

async function openConfiguredStore(config: Config, configFile: string, logger: Logger) {
  try {
    // A worker must not end for what the supervisor has tried already: that would end all of them.
    return await openStore({
      ...config,
      minFreeSpace: config.limits.minFreeSpace,
      lifetimes: compileRetention(config.retention),
      tombstonePhase: tombstonePhases(config.replayWindowMs),
      uploaderIds: new UploaderIds(config.secrets),
      isTried: isWorker,
      warn: (message) => logger.warn(message),
    });
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new ConfigError([`${configFile}: ${error.message}`], { cause: error });
  }
}

async function openConfiguredLog({ logFormat, logLevel }: Config, { logFd, atExit }: ServeOptions): Promise<Log> {
  const prefersPretty = logFormat === 'auto' ? isatty(logFd) : logFormat === 'pretty';
  const log = await openLog(logLevel, prefersPretty ? 'pretty' : 'json', logFd);
  atExit(log.flush);
  return log;
}

/** In a worker: serves with the configuration of the supervisor until that says to close. */
async function serveAsWorker(options: ServeOptions): Promise<void> {
  const orders = takeOrders();
  const config = await orders.config;
  const log = await openConfiguredLog(config, options);
  let running: Running | undefined;
  // Until it listens it serves nobody, and ends at once.
  closeOnOrder(orders, config.shutdownTimeoutMs + closingMarginMs, log.logger, async () => running?.close());
  const { store } = await openConfiguredStore(config, options.configFile, log.logger);
  running = await serveInWorker(config, store, log, options.serviceManager);
}

async function warnOfCron({ storeDir }: Config): Promise<string[]> {
  if (storeDir === undefined) return [];
  return (await findCronDeletions(storeDir)).map((file) => cronWarning(storeDir, file));
}

/** Serves uploads until a signal ends it. Throws a ConfigError or a ListenError when it cannot start. */
export async function serve(options: ServeOptions): Promise<void> {
  if (isWorker) return serveAsWorker(options);
  const { configFile, createConfig, serviceManager } = options;
  const isCreated = createConfig && !existsSync(configFile);
  if (isCreated) writeDefaultConfig(configFile, defaultBaseUrl);
  const { config, warnings } = loadConfig(configFile);
  const isAlone = config.workers === 1;
  const log = await openConfiguredLog(config, options);
  const { logger } = log;
  const notify = notifier(serviceManager, logger);
  let running: Promise<Running> | undefined;
  // Before anything is opened, so that no signal is lost: closing then waits for what is being opened.
  const delay = config.shutdownTimeoutMs + closingMarginMs + (isAlone ? 0 : supervisorMarginMs);
  closeOnSignal(delay, logger, notify, () =>
    Promise.resolve(running).then(
      (opened) => opened?.close(),
      () => undefined,
    ),
  );
  const { store, warnings: storeWarnings } = await openConfiguredStore(config, configFile, logger);
  if (isCreated) logCreation(logger, configFile);
  const allWarnings = [...warnings, ...storeWarnings, ...(await warnOfCron(config))];
  for (const warning of allWarnings) logger.warn(warning);
  if (serviceManager.passedSockets !== 0) logger.info('the service manager passed a socket: listenPort is not used');
  else if ('path' in config.listen) await removeStaleSocket(config.listen.path);
  running = isAlone
    ? serveAlone(config, store, log, serviceManager, notify)
    : serveInWorkers(config, store, log, notify);
  await running;
}
