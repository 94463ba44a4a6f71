#!/usr/bin/env node
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { ListenError } from './commands/listen.js';
import { serve } from './commands/serve.js';
import { ConfigError } from './config/config.js';

const usage = `Usage: prosody-filer [--config FILE]

Receives and serves the files that XMPP users upload (XEP-0363).

  --config FILE     the configuration, ./config.toml if not given
  --create-config   if there is no configuration, write one with a random secret
  --version         print the version
  --help            print this

Exit codes: 0 stopped by a signal, 1 failed while running, 2 wrong usage or configuration.
`;

const options = {
  config: { type: 'string', default: './config.toml' },
  'create-config': { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const configurationExitCode = 2;

/** Go's flags have one dash: `-config x`. */
function withTwoDashes(args: readonly string[]): string[] {
  return args.map((arg) => (/^-(config|create-config|version|help)(=|$)/.test(arg) ? `-${arg}` : arg));
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(message.replace(/^/gm, 'prosody-filer: ').concat('\n'));
  process.exit(exitCode);
}

function parseArguments() {
  try {
    return parseArgs({ args: withTwoDashes(process.argv.slice(2)), options }).values;
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\nSee prosody-filer --help`, configurationExitCode);
  }
}

async function main(): Promise<void> {
  // Received bodies are garbage by the tens of MiB: marking it bit by bit costs more than at once, since little is alive.
  if (!process.execArgv.includes('--incremental-marking')) setFlagsFromString('--no-incremental-marking');
  const values = parseArguments();
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (values.version) {
    const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
    process.stdout.write(`prosody-filer ${version}\n`);
    return;
  }
  await serve({
    configFile: values.config,
    createConfig: values['create-config'],
    isTerminal: process.stdout.isTTY === true,
  });
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) fail(error.message, configurationExitCode);
  if (error instanceof ListenError) fail(error.message, 1);
  throw error;
});
