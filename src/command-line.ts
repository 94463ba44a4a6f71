import { Command } from 'commander';
import * as checkConfig from './commands/check-config.js';
import * as deleteUpload from './commands/delete.js';
import * as doctor from './commands/doctor.js';
import * as init from './commands/init.js';
import * as purge from './commands/purge.js';
import * as serve from './commands/serve.js';
import * as sign from './commands/sign.js';
import * as stats from './commands/stats.js';
import { type Output, toMessage } from './output.js';

/** In the order of the help. Each imports what is large only when its command runs, so that all start fast. */
const commands = [serve, init, checkConfig, sign, purge, deleteUpload, stats, doctor];

/** The program with its commands and their options, for the program itself, its man page and its shell completions. */
export function commandLine(output: Output, version: string): Command {
  const program = new Command('prosody-filer')
    .description('Receives and serves the files that XMPP users upload (XEP-0363).')
    .version(`prosody-filer ${version}`, '--version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', '\nExit codes: 0 success, 1 failure while running, 2 wrong usage or configuration.\n')
    .configureOutput({ outputError: (text, write) => write(toMessage(text.trimEnd().replace(/^error: /, ''))) })
    .showHelpAfterError('prosody-filer: See prosody-filer --help')
    .exitOverride();
  for (const { register } of commands) register(program, output);
  for (const command of program.commands) command.option('--config <file>', 'configuration file', './config.toml');
  return program;
}
