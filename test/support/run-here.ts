import { commandLine } from '../../src/command-line.js';
import { toMessage } from '../../src/output.js';
import type { CommandResult } from './command.js';

/** Runs a command of the program in the process of the test, which saves the time that the built program takes to start. */
export async function runHere(...args: readonly string[]): Promise<CommandResult> {
  let [code, stdout, stderr] = [0, '', ''];
  const output = {
    progressTerminal: undefined,
    print: (text: string) => {
      stdout += `${text}\n`;
    },
    warn: (text: string) => {
      stderr += toMessage(text);
    },
    exitWith: (exitCode: number) => {
      code = exitCode;
    },
  };
  await commandLine(output, '').parseAsync(args, { from: 'user' });
  return { code, stdout, stderr };
}
