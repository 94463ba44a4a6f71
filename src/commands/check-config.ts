import type { Command } from 'commander';
import type { Output, ResultOptions } from '../output.js';

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
      const { examineHost } = await import('../diagnosis/local/examine-host.js');
      const { printFindings } = await import('../diagnosis/print-findings.js');
      const { config: subject, json } = options;
      output.exitWith(await printFindings((report) => examineHost(subject, report), output, { json, subject }));
    });
}
