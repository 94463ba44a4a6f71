import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import { defaultBaseUrl } from '../config/base-url.js';
import { type Config, ConfigError } from '../config/config.js';
import { writeDefaultConfig } from '../config/default-config.js';
import { loadConfig } from '../config/load-config.js';
import { makeSnippets } from '../config/snippets.js';
import { FilerError } from '../errors.js';
import { createLogger } from '../log.js';
import { openStore } from '../storage/open-store.js';
import { removeStaleSocket } from './listen.js';
import { serveAlone, serveInWorker, serveInWorkers } from './processes.js';
import type { ServiceManager } from './service-manager.js';
import { isWorker } from './workers.js';

/** What `serve` is started with. */
export interface ServeOptions {
  readonly configFile: string;
  /** Whether to write a configuration with a random secret where there is none. */
  readonly createConfig: boolean;
  readonly isTerminal: boolean;
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

async function openConfiguredStore(config: Config, configFile: string) {
  try {
    // A worker must not end for what the supervisor has tried already: that would end all of them.
    return await openStore({ ...config, minFreeSpace: config.limits.minFreeSpace, isTried: isWorker });
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new ConfigError([`${configFile}: ${error.message}`], { cause: error });
  }
}

/** Serves uploads until a signal ends it. Throws a ConfigError or a ListenError when it cannot start. */
export async function serve({ configFile, createConfig, isTerminal, serviceManager }: ServeOptions): Promise<void> {
  const isCreated = createConfig && !existsSync(configFile);
  if (isCreated) writeDefaultConfig(configFile, defaultBaseUrl);
  const { config, warnings } = loadConfig(configFile);
  const prefersPretty = config.logFormat === 'auto' ? isTerminal : config.logFormat === 'pretty';
  const logger = await createLogger(config.logLevel, prefersPretty ? 'pretty' : 'json');
  const { store, warnings: storeWarnings } = await openConfiguredStore(config, configFile);
  if (isCreated) logCreation(logger, configFile);
  if (!isWorker) for (const warning of [...warnings, ...storeWarnings]) logger.warn(warning);

  if (isWorker) return serveInWorker(config, store, logger, serviceManager);
  if (serviceManager.passedSockets !== 0) logger.info('the service manager passed a socket: listenPort is not used');
  else if ('path' in config.listen) await removeStaleSocket(config.listen.path);
  if (config.workers === 1) return serveAlone(config, store, logger, serviceManager);
  return serveInWorkers(config, store, logger, serviceManager);
}
