import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually.js';
import { findProgram } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { type Teardown, tempDir } from '../support/temp-dir.js';

/** A terminal of 400 columns with a folder of its own. */
export interface Terminal {
  readonly folder: string;
  /** Starts a shell command in it. */
  run(command: string): Promise<void>;
  /** What it shows now. */
  screen(): Promise<string>;
  /** Types a line and the Enter key. */
  enter(line: string): Promise<void>;
}

const execute = promisify(execFile);

/** Each look starts a process. */
const lookEveryMs = 50;

/** Starts a tmux of its own; the end of `t` ends it and what runs in it. */
export async function startTerminal(t: Teardown): Promise<Terminal> {
  let server: RunningProcess | undefined;
  t.after(async () => {
    await server?.stop(); // hooks run in this order: first the server, then its folder
  });
  const folder = await tempDir(t);
  const program = findProgram('tmux') ?? 'tmux';
  const options = ['-S', path.join(folder, 'tmux'), '-f', '/dev/null', '-u'];
  const tmux = (...args: readonly string[]) => execute(program, [...options, ...args]);
  server = new RunningProcess(program, [...options, '-D']);
  await eventually(() => existsSync(path.join(folder, 'tmux')));
  return {
    folder,
    run: async (command) => {
      await tmux('new-session', '-d', '-x', '400', '-y', '50', command);
    },
    screen: async () => {
      await pause(lookEveryMs);
      return (await tmux('capture-pane', '-p')).stdout;
    },
    enter: async (line) => {
      await tmux('send-keys', '-l', line);
      await tmux('send-keys', 'Enter');
    },
  };
}
