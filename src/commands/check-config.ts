import type { Command } from 'commander';
import { type Config, ConfigError } from '../config/config.js';
import type { LoadedConfig } from '../config/load-config.js';
import type { Check, Verdict } from '../diagnosis/local/check.js';
import type { Output, ResultOptions } from '../output.js';
import { withProgress } from '../progress.js';

const exitCodes: Readonly<Record<Verdict, 0 | 1 | 2>> = { ok: 0, warning: 0, problem: 1, failure: 2 };
const colours: Readonly<Record<Verdict, number>> = { ok: 32, warning: 33, problem: 31, failure: 31 };

async function checkComponent({ component }: Config): Promise<Check[]> {
  if (component === undefined) return [];
  const checks = await import('../diagnosis/local/check-component.js');
  return [await checks.checkComponent(component)];
}

async function checkAll(configFile: string): Promise<Check[]> {
  const { loadConfig } = await import('../config/load-config.js');
  const { checkListening } = await import('../diagnosis/local/check-listening.js');
  const { checkSecrets } = await import('../diagnosis/local/check-secrets.js');
  const { checkStorage } = await import('../diagnosis/local/check-storage.js');
  const { checkSystem } = await import('../diagnosis/local/check-system.js');
  let loaded: LoadedConfig;
  try {
    loaded = loadConfig(configFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((message) => ({ verdict: 'failure', message }));
  }
  const { config } = loaded;
  const { metricsListen } = config;
  return [
    { verdict: 'ok', message: `${configFile}: no mistake in it` },
    ...(await checkSecrets(loaded)),
    ...(await checkStorage(config)),
    await checkListening(config.listen, 'listenPort'),
    ...(metricsListen === undefined ? [] : [await checkListening(metricsListen, 'metricsListen')]),
    ...(await checkComponent(config)),
    ...(await checkSystem(config)),
  ];
}

/**
 * Prints a line for each check of the configuration and of what it needs; leaves nothing behind and disturbs no server.
 * Resolves to the exit code: 2 where a start would fail, 1 for other problems, 0 also with warnings.
 */
async function checkConfig({ config: configFile, json }: ResultOptions, output: Output): Promise<number> {
  const terminal = json ? undefined : output.progressTerminal;
  const checks = await withProgress(terminal, 'checking', () => checkAll(configFile));
  const exitCode = Math.max(...checks.map(({ verdict }) => exitCodes[verdict]));
  if (json) {
    output.print(JSON.stringify({ checks, exitCode }));
    return exitCode;
  }
  for (const { verdict, message, paste } of checks) {
    const word = verdict.padEnd('warning'.length);
    output.print(`${output.isTerminal ? `\x1b[${colours[verdict]}m${word}\x1b[0m` : word}  ${message}`);
    if (paste !== undefined) output.print(paste.replace(/^/gm, ' '.repeat(word.length + 2)));
  }
  return exitCode;
}

interface CheckConfigOptions extends ResultOptions {
  readonly user?: string;
}

/** Adds the command that checks the configuration and everything that it needs. */
export function register(program: Command, output: Output): void {
  program
    .command('check-config')
    .description('check the configuration and everything it needs; changes nothing')
    .option('--user <name>', 'check with the rights of this user, which should be the one of the service (needs root)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 no problems (there may be warnings), 1 problems, 2 the server cannot start.\n',
    )
    .action(async (options: CheckConfigOptions) => {
      if (options.user !== undefined) {
        const { becomeUser } = await import('../service/system-user.js');
        await becomeUser(options.user);
      }
      output.exitWith(await checkConfig(options, output));
    });
}
