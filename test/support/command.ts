import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built program's file. */
export const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The flags of Node.js that src/prosody-filer.sh starts it with. */
export const nodeFlags = ['--no-incremental-marking', '--max-semi-space-size=4'];

/** The command that starts it as src/prosody-filer.sh does. */
export const programCommand = [process.execPath, ...nodeFlags, mainFile];

/** The root of the checkout. */
export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** How a command ended and what it printed. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export function run(command: string, args: readonly string[], cwd?: string): Promise<CommandResult> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
