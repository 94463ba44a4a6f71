import { createRequire } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import type { DoctorOptions } from './commands/doctor.js';
import type { InitOptions } from './commands/init.js';
import type { PurgeOptions } from './commands/purge.js';
import { serve } from './commands/serve.js';
import type { SignOptions } from './commands/sign.js';
import { defaultBaseUrl } from './config/base-url.js';
import { ConfigError } from './config/config-error.js';
import { findUser } from './diagnosis/local/find-user.js';
import { FilerError, messageOf, systemErrorCode, UsageError } from './errors.js';
import type { Output, ResultOptions } from './output.js';
import { printable } from './printable.js';
import { ListenError } from './service/listen.js';
import { findServiceManager } from './service/service-manager.js';
import { isWorker, workersLogFd } from './service/workers.js';
import { tokenSchemes } from './token/sign-token.js';

const configurationExitCode = 2;

/** Go's flags have one dash: `-config x`. */
function withTwoDashes(args: readonly string[]): string[] {
  return args.map((arg) => (/^-(config|create-config|version|help)(=|$)/.test(arg) ? `-${arg}` : arg));
}

/** A line or several for the operator, each with who says it. */
function toMessage(text: string): string {
  return printable(text).replace(/^/gm, 'prosody-filer: ').concat('\n');
}

function fail(text: string, exitCode: number): never {
  try {
    process.stderr.write(toMessage(text));
  } finally {
    // Also where standard error is a file on a full disk: a service manager goes by the exit code.
    process.exit(exitCode);
  }
}

/** A pipe without a reader, and a terminal that is gone. */
const goneReader = new Set(['EPIPE', 'EIO']);

/** A reader that goes away (`purge | head`) ends the output, not the work; what cannot be written otherwise is a failure. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (goneReader.has(systemErrorCode(error) ?? '')) return;
      process.stderr.write(toMessage(`the output cannot be written: ${messageOf(error)}`));
      process.once('exit', (code) => {
        process.exitCode = code || 1;
      });
    });
  }
}

const output: Output = {
  isTerminal: process.stdout.isTTY === true,
  print: (text) => process.stdout.write(`${printable(text)}\n`),
  warn: (text) => process.stderr.write(toMessage(text)),
};

/** Gives this process the rights of another user, for good. */
async function becomeUser(name: string): Promise<void> {
  const user = await findUser(name);
  if (user === undefined) throw new UsageError(`--user: expected a user of this host, got '${name}'`);
  if (process.getuid?.() === user.uid) return;
  if (process.getuid?.() !== 0) throw new UsageError('--user: only root can check as another user: sudo');
  process.setgroups?.([...user.gids]);
  process.setgid?.(user.gids[0]);
  process.setuid?.(user.uid);
}

function packageVersion(): string {
  return (createRequire(import.meta.url)('../package.json') as { version: string }).version;
}

/** A command's options as commander gives them, without what it takes as arguments. */
type Given<Options extends { configFile: string }, Arguments extends keyof Options = never> = Omit<
  Options,
  'configFile' | Arguments
> & { config: string };

function addCommand(program: Command, name: string, description: string, isDefault = false): Command {
  return program
    .command(name, { isDefault })
    .description(description)
    .option('--config <file>', 'the configuration', './config.toml');
}

/** What only one command needs is loaded with it, so that the server starts fast and holds little. */
function commandLine(): Command {
  const program = new Command('prosody-filer')
    .description('Receives and serves the files that XMPP users upload (XEP-0363).')
    .version(`prosody-filer ${packageVersion()}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.\n')
    .configureOutput({ outputError: (text, write) => write(toMessage(text.trimEnd().replace(/^error: /, ''))) })
    .showHelpAfterError('prosody-filer: See prosody-filer --help')
    .exitOverride();

  addCommand(program, 'serve', 'serve uploads until a signal ends it; what happens without a command', true)
    .option('--create-config', 'if there is no configuration, write one with a random secret', false)
    .action(({ config, createConfig }: { config: string; createConfig: boolean }) =>
      serve({
        configFile: config,
        createConfig,
        logFd: isWorker ? workersLogFd : process.stdout.fd,
        atExit: (callback) => process.once('exit', callback),
        serviceManager: findServiceManager(process.env, isWorker ? process.ppid : process.pid),
      }),
    );

  addCommand(program, 'init', 'write a configuration with a random secret, and say what the other servers need')
    .option('--base-url <url>', 'under which clients reach this server', defaultBaseUrl)
    .action(async ({ config, baseUrl }: Given<InitOptions>) => {
      const { init } = await import('./commands/init.js');
      return init({ configFile: config, baseUrl }, output);
    });

  addCommand(program, 'check-config', 'check the configuration and what it needs, without leaving anything behind')
    .option('--user <name>', "check as this user, the service's (needs root)")
    .option('--json', 'print JSON', false)
    .addHelpText('after', '\nExit codes: 0 nothing but warnings, 1 problems, 2 a start would fail.\n')
    .action(async ({ config, user, json }: Given<ResultOptions> & { user?: string }) => {
      if (user !== undefined) await becomeUser(user);
      const { checkConfig } = await import('./commands/check-config.js');
      process.exitCode = await checkConfig({ configFile: config, json }, output);
    });

  addCommand(program, 'sign', 'print a URL that takes one PUT, and a curl command for it')
    .argument('<path>', "the upload's path below the base URL, such as slot/photo.jpg")
    .argument('<file|size>', 'the file to upload, or its size in bytes')
    .option('--type <type>', "the content type (default: that of the path's extension)")
    .addOption(new Option('--scheme <scheme>', 'the kind of token').choices(tokenSchemes).default('v2'))
    .option('--base-url <url>', 'under which clients reach this server (default: where it listens)')
    .option('--json', 'print JSON', false)
    .action(
      async (path: string, fileOrSize: string, { config, ...options }: Given<SignOptions, 'path' | 'fileOrSize'>) => {
        const { sign } = await import('./commands/sign.js');
        return sign({ configFile: config, path, fileOrSize, ...options }, output);
      },
    );

  addCommand(program, 'purge', 'delete old uploads, or those of one uploader')
    .option('--older-than <time>', 'those that were uploaded so long ago, such as 28d')
    .option('--uploader <jid|id>', 'those of this uploader: a JID, or an id that stats prints')
    .option('--dry-run', 'only print what would be deleted', false)
    .option('--json', 'print JSON, one object a line', false)
    .action(async ({ config, ...options }: Given<PurgeOptions>) => {
      const { purge } = await import('./commands/purge.js');
      return purge({ configFile: config, ...options }, output);
    });

  addCommand(program, 'delete', 'delete one upload')
    .argument('<url|path>', 'its URL, or its path in storeDir or below the path of [s3]')
    .action(async (target: string, { config }: { config: string }) => {
      const { deleteUpload } = await import('./commands/delete.js');
      return deleteUpload({ configFile: config, target }, output);
    });

  addCommand(program, 'stats', 'say what is stored: by type, by age, by uploader')
    .option('--json', 'print JSON', false)
    .action(async ({ config, json }: Given<ResultOptions>) => {
      const { stats } = await import('./commands/stats.js');
      return stats({ configFile: config, json }, output);
    });

  addCommand(program, 'doctor', 'go through the public base URL as a client would, and explain what is wrong')
    .argument('<url>', 'such as https://uploads.example.org/upload/')
    .option('--json', 'print JSON', false)
    .addHelpText('after', '\nFor a certificate of your own, set NODE_EXTRA_CA_CERTS=/path/ca.pem in the environment.\n')
    .action(async (url: string, { config, json }: Given<DoctorOptions, 'url'>) => {
      const { doctor } = await import('./commands/doctor.js');
      if (!(await doctor({ configFile: config, url, json }, output))) process.exitCode = 1;
    });

  return program;
}

async function main(): Promise<void> {
  // The version of the SDK is fixed to one that runs on this Node.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  outliveReaders();
  await commandLine().parseAsync(withTwoDashes(process.argv.slice(2)), { from: 'user' });
}

main().catch((error: unknown) => {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : configurationExitCode);
  if (error instanceof ConfigError || error instanceof UsageError) fail(error.message, configurationExitCode);
  if (error instanceof ListenError || error instanceof FilerError) fail(error.message, 1);
  throw error;
});
