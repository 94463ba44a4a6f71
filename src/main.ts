import { createRequire } from 'node:module';
import { CommanderError } from 'commander';
import { commandLine } from './command-line.js';
import { ConfigError } from './config/config-error.js';
import { FilerError, messageOf, systemErrorCode, UsageError } from './errors.js';
import { type Label, type Output, toMessage } from './output.js';
import { printable } from './printable.js';
import { ListenError } from './service/listen.js';

const configurationExitCode = 2;

/** Go's flags, as prosody-filer had them, begin with one dash: `-config x`. */
function withTwoDashes(args: readonly string[]): string[] {
  return args.map((arg) => (/^-(config|create-config|version|help)(=|$)/.test(arg) ? `-${arg}` : arg));
}

function fail(text: string, exitCode: number): never {
  try {
    process.stderr.write(toMessage(text));
  } finally {
    // Standard error may be a file on a full disk. A service manager needs the exit code all the same.
    process.exit(exitCode);
  }
}

/** The reader of a pipe has ended, or the terminal is gone. */
const goneReader = new Set(['EPIPE', 'EIO']);

/** If the reader goes away (`purge | head`), the work goes on without output. Any other failure to write is an error. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (goneReader.has(systemErrorCode(error) ?? '')) return;
      process.stderr.write(toMessage(`cannot write the output: ${messageOf(error)}`));
      process.once('exit', (code) => {
        process.exitCode = code || 1;
      });
    });
  }
}

function toTerminal({ text, colour }: Label): string {
  return process.stdout.isTTY ? `\x1b[${colour}m${text}\x1b[0m` : text;
}

function openOutput(): Output {
  const { stdout, stderr } = process;
  // yocto-spinner shows no progress in these two either, but would print each change as a line.
  const isPlain = process.env['TERM'] === 'dumb' || process.env['CI'] !== undefined;
  return {
    progressTerminal: stderr.isTTY && !isPlain ? stderr : undefined,
    print: (text, label) => stdout.write(`${label ? toTerminal(label) : ''}${printable(text)}\n`),
    warn: (text) => stderr.write(toMessage(text)),
    exitWith: (exitCode) => {
      process.exitCode = exitCode;
    },
  };
}

/** The commit that was built. The build defines it, except for a release. */
declare const builtCommit: string | undefined;

function versionText(): string {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  return typeof builtCommit === 'undefined' ? version : `${version} (commit ${builtCommit})`;
}

async function main(): Promise<void> {
  // package.json pins a version of the AWS SDK that runs on this version of Node.js, so its warning is not needed.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  outliveReaders();
  await commandLine(openOutput(), versionText()).parseAsync(withTwoDashes(process.argv.slice(2)), { from: 'user' });
}

main().catch((error: unknown) => {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : configurationExitCode);
  if (error instanceof ConfigError || error instanceof UsageError) fail(error.message, configurationExitCode);
  if (error instanceof ListenError || error instanceof FilerError) fail(error.message, 1);
  throw error;
});
