import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import { defaultBaseUrl } from '../config/base-url.js';
import { type Config, ConfigError } from '../config/config.js';
import { writeDefaultConfig } from '../config/default-config.js';
import { loadConfig } from '../config/load-config.js';
import { makeSnippets } from '../config/snippets.js';
import { FilerError } from '../errors.js';
import { buildApp } from '../http/app.js';
import { createLogger } from '../log.js';
import { Metrics } from '../metrics.js';
import { openStore } from '../storage/open-store.js';
import type { Store } from '../storage/store.js';
import { closeOnSignal } from './close-on-signal.js';
import { listen, removeStaleSocket } from './listen.js';
import { serveMetrics } from './serve-metrics.js';
import { closeWithSupervisor, isWorker, readMetricsOfWorkers, superviseWorkers, tellSupervisor } from './workers.js';

/** What `serve` is started with. */
export interface ServeOptions {
  readonly configFile: string;
  /** Whether to write a configuration with a random secret where there is none. */
  readonly createConfig: boolean;
  readonly isTerminal: boolean;
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

async function openConfiguredStore(config: Config, configFile: string) {
  try {
    return await openStore(config);
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new ConfigError([`${configFile}: ${error.message}`], { cause: error });
  }
}

/** Serves uploads in this process, with its share of what the configuration limits. */
async function serveHere(config: Config, store: Store, logger: Logger): Promise<void> {
  const maxUploads = Math.max(1, Math.floor(config.maxUploads / config.workers));
  const { metricsListen } = config;
  const metrics = metricsListen === undefined ? undefined : new Metrics();
  metrics?.watchFreeSpace(() => store.freeBytes());
  const app = buildApp({ store, settings: { ...config, maxUploads }, logger, now: Date.now, metrics });
  const address = await listen(app, config.listen);
  if (isWorker) {
    if (metrics !== undefined) tellSupervisor(metrics);
    closeWithSupervisor(config.shutdownTimeoutMs, logger, () => app.close());
    return;
  }
  const metricsApp =
    metricsListen === undefined || metrics === undefined
      ? undefined
      : await serveMetrics(metricsListen, { store, readMetrics: () => metrics.registry.metrics() }, logger);
  logger.info({ address, storeDir: config.storeDir, basePath: `/${config.baseSegments.join('/')}` }, 'listening');
  closeOnSignal(config.shutdownTimeoutMs, logger, async () => {
    await app.close();
    await metricsApp?.close();
  });
}

/** Serves uploads until a signal ends it. Throws a ConfigError or a ListenError when it cannot start. */
export async function serve({ configFile, createConfig, isTerminal }: ServeOptions): Promise<void> {
  const isCreated = createConfig && !existsSync(configFile);
  if (isCreated) writeDefaultConfig(configFile, defaultBaseUrl);
  const { config, warnings } = loadConfig(configFile);
  const prefersPretty = config.logFormat === 'auto' ? isTerminal : config.logFormat === 'pretty';
  const logger = await createLogger(config.logLevel, prefersPretty ? 'pretty' : 'json');
  const { store, warnings: storeWarnings } = await openConfiguredStore(config, configFile);
  if (isCreated) logCreation(logger, configFile);
  if (!isWorker) for (const warning of [...warnings, ...storeWarnings]) logger.warn(warning);

  if (!isWorker && 'path' in config.listen) await removeStaleSocket(config.listen.path);
  if (config.workers === 1 || isWorker) return serveHere(config, store, logger);
  const { metricsListen, workers, shutdownTimeoutMs } = config;
  const metricsApp =
    metricsListen === undefined
      ? undefined
      : await serveMetrics(metricsListen, { store, readMetrics: readMetricsOfWorkers() }, logger);
  superviseWorkers(workers, shutdownTimeoutMs, logger, async () => metricsApp?.close());
}
