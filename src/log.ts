import { type Logger, pino } from 'pino';
import { LogOutput, openWithoutWaiting } from './log-output.js';
import { printable } from './printable.js';
import { redact } from './redact.js';

/** Turns a line of JSON into the text to write. */
async function formatter(format: 'json' | 'pretty'): Promise<(json: string) => string> {
  if (format === 'json') return printable;
  const { textForPeople } = await import('./log-text.js');
  return textForPeople;
}

/** The program's log. */
export interface Log {
  readonly logger: Logger;
  /** How many lines have been lost so far. */
  lostLines(): number;
  /** Writes the lines that wait for a reader, for at most 1 s. For the end of the process. */
  flush(): void;
}

/** Opens the program's log on a file descriptor, as JSON objects or as text for people. Tokens are redacted. */
export async function openLog(level: string, format: 'json' | 'pretty', fd: number): Promise<Log> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const toText = await formatter(format);
  const output = new LogOutput(openWithoutWaiting(fd), (lines, reason) => {
    logger.warn(`lost ${lines} lines of this log: ${reason}`);
  });
  const logger = pino(options, { write: (json: string) => output.write(toText(redact(json))) });
  return { logger, lostLines: () => output.lostLines, flush: () => output.flush() };
}
