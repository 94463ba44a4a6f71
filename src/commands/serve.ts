import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import type { Logger } from 'pino';
import { defaultBaseUrl } from '../config/base-url.js';
import type { Config } from '../config/config.js';
import { writeDefaultConfig } from '../config/default-config.js';
import { makeSnippets } from '../config/snippets.js';
import type { CommandOptions } from '../output.js';

interface ServeOptions extends CommandOptions {
  readonly createConfig?: boolean;
}

function logCreation(logger: Logger, configFile: string): void {
  const secret = `the secret in ${configFile}`;
  const { prosodyExternal, ejabberd } = makeSnippets({ baseUrl: defaultBaseUrl, secret, deleteSecret: secret });
  logger.info(`wrote ${configFile} with a random secret; uploads go to ./upload/`);
  logger.info(`settings for Prosody (comments in ${configFile} show them with the secret):\n${prosodyExternal}`);
  logger.info(`settings for ejabberd:\n${ejabberd}`);
}

async function findCronWarnings({ storeDir }: Config): Promise<string[]> {
  if (storeDir === undefined) return [];
  const { explainCronDeletion, findCronDeletions } = await import('../diagnosis/local/find-cron-deletions.js');
  const problems = (await findCronDeletions(storeDir)).map((file) => explainCronDeletion(storeDir, file));
  return problems.map(({ found, change }) => `storeDir: ${found} ${change}`);
}

async function serve({ config: configFile, createConfig = false }: ServeOptions): Promise<void> {
  const { isWorker } = await import('../service/workers.js');
  const { startService, startWorker } = await import('../service/start-service.js');
  if (isWorker) return startWorker(configFile);
  const { loadConfig } = await import('../config/load-config.js');
  const { findClosedModes } = await import('../service/find-closed-modes.js');
  const isCreated = createConfig && !existsSync(configFile);
  if (isCreated) writeDefaultConfig(configFile, defaultBaseUrl);
  const { config, warnings, oddFiles } = loadConfig(configFile);
  await startService(config, configFile, async (logger) => {
    if (isCreated) logCreation(logger, configFile);
    const odd = oddFiles.map(({ found, change }) => `${found} ${change}`);
    const found = [...warnings, ...odd, ...findClosedModes(config), ...(await findCronWarnings(config))];
    for (const warning of found) logger.warn(warning);
  });
}

/** Adds the command that serves uploads. It is the default one, as in prosody-filer. */
export function register(program: Command): void {
  program
    .command('serve', { isDefault: true })
    .description('run the server until SIGTERM or SIGINT; this is the default command')
    .option('--create-config', 'if the configuration file does not exist, write one with a random secret')
    .action(serve);
}
