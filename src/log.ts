import { type Logger, pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import { LogOutput, openWithoutWaiting } from './log-output.js';
import { printable } from './printable.js';
import { redact } from './redact.js';

/** Anything but a request: its message, and whose and which upload it is about. */
function describeEvent({ msg, path, bytes, uploader, reason }: Readonly<Record<string, unknown>>): string {
  const by = uploader === undefined ? '' : ` (${uploader})`;
  const upload = path === undefined || bytes === undefined ? path : `${path}, ${bytes} bytes`;
  return [`${msg}${by}`, upload, reason].filter((part) => part !== undefined).join(': ');
}

/** A request in one line, anything else as its message. */
function describeForPeople(log: Readonly<Record<string, unknown>>): string {
  const { method, path, status = 'aborted', bytes, sentBy, durationMs, uploader, reason } = log;
  if (method === undefined) return describeEvent(log);
  const sent = sentBy === undefined ? `${bytes} bytes` : `${bytes} bytes sent by ${sentBy}`;
  const by = uploader === undefined ? '' : ` by ${uploader}`;
  const because = reason === undefined ? '' : `: ${reason}`;
  return `${method} ${path} ${status}, ${sent} in ${durationMs} ms${by}${because}`;
}

const prettyOptions: PrettyOptions = {
  translateTime: 'SYS:HH:MM:ss.l',
  ignore: 'method,path,status,bytes,sentBy,durationMs,uploader,reason,aborted,reqId',
  messageFormat: describeForPeople,
};

/** Texts that may have several lines: snippets to paste, and stack traces. */
const keysOfLines = ['msg', 'stack'];

/** What stands in a line, so that no text in it reaches the terminal as something else, or looks like another line. */
function plain(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const lines = printable(value).split('\n');
  return lines.join(keysOfLines.includes(key) ? '\n    ' : '\\n');
}

/** How a line of JSON is written. */
async function formatter(format: 'json' | 'pretty'): Promise<(json: string) => string> {
  if (format === 'json') return printable;
  const { prettyFactory } = await import('pino-pretty');
  const prettify = prettyFactory(prettyOptions);
  return (json) => prettify(JSON.parse(json, plain));
}

/** The program's log. */
export interface Log {
  readonly logger: Logger;
  /** How many lines could not be written so far. */
  lostLines(): number;
  /** Writes what waits for a reader, for a second at most: to be called at the end of the process. */
  flush(): void;
}

/** Opens the program's log on a descriptor: one JSON object a line, or text for people; without tokens in it. */
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
