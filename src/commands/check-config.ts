import type { Config } from '../config/config.js';
import { ConfigError } from '../config/config-error.js';
import { type LoadedConfig, loadConfig } from '../config/load-config.js';
import type { Check, Verdict } from '../diagnosis/local/check.js';
import { checkListening } from '../diagnosis/local/check-listening.js';
import { checkSecrets } from '../diagnosis/local/check-secrets.js';
import { checkStorage } from '../diagnosis/local/check-storage.js';
import { checkSystem } from '../diagnosis/local/check-system.js';
import type { Output, ResultOptions } from '../output.js';

const exitCodes: Readonly<Record<Verdict, 0 | 1 | 2>> = { ok: 0, warning: 0, problem: 1, failure: 2 };
const colours: Readonly<Record<Verdict, number>> = { ok: 32, warning: 33, problem: 31, failure: 31 };

async function checkComponent({ component }: Config): Promise<Check[]> {
  if (component === undefined) return [];
  const checks = await import('../diagnosis/local/check-component.js');
  return [await checks.checkComponent(component)];
}

async function checkAll(configFile: string): Promise<Check[]> {
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
export async function checkConfig({ configFile, json }: ResultOptions, output: Output): Promise<number> {
  const checks = await checkAll(configFile);
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
