import type { WriteStream } from 'node:tty';
import { printable } from './printable.js';
import type { UnreadableEntry } from './storage/store.js';

/** A word before a text, in a colour where a terminal shows it; `colour` is the number of an ANSI escape (ECMA-48 §8.3.117). */
export interface Label {
  readonly text: string;
  readonly colour: number;
}

/** What a command may do with the process that runs it. */
export interface Output {
  /** Standard error where it is a terminal that can redraw a line, otherwise `undefined`. */
  readonly progressTerminal: WriteStream | undefined;
  /** Prints a text and a line feed to standard output. */
  print(text: string, label?: Label): void;
  /** Prints a message for the operator to standard error. */
  warn(text: string): void;
  /** Sets the exit code of a command that runs to its end; 0 if it is not called. */
  exitWith(exitCode: number): void;
}

/** Options of every command. */
export interface CommandOptions {
  /** Path of the configuration file. */
  readonly config: string;
}

/** Options of every command whose result a script may read. */
export interface ResultOptions extends CommandOptions {
  /** Print JSON instead of text. */
  readonly json?: boolean;
}

/** A message for the operator. Each of its lines begins with the name of the program. */
export function toMessage(text: string): string {
  return printable(text).replace(/^/gm, 'prosody-filer: ').concat('\n');
}

/** Makes what a listing calls for each entry of the store that it cannot read: it warns the operator. */
export function warnOfUnreadable({ warn }: Pick<Output, 'warn'>): (entry: UnreadableEntry) => void {
  return ({ path, reason }) => warn(`cannot read ${path}, skipping it: ${reason}`);
}
