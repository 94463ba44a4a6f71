import type { UnreadableEntry } from './storage/store.js';

/** Where a command prints its result. */
export interface Output {
  /** Whether people read it as it comes. */
  readonly isTerminal: boolean;
  /** Prints a text and a line feed. */
  print(text: string): void;
  /** Prints what the operator should know beside the result. */
  warn(text: string): void;
}

/** What every command with a result for scripts is asked. */
export interface ResultOptions {
  readonly configFile: string;
  /** Whether to print JSON in place of text. */
  readonly json: boolean;
}

/** Has each entry of the store that cannot be read printed, once in a listing. */
export function warnOfUnreadable({ warn }: Pick<Output, 'warn'>): (entry: UnreadableEntry) => void {
  return ({ path, reason }) => warn(`${path} cannot be read and is passed over: ${reason}`);
}
