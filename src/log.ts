import { type Logger, pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';
import { LogOutput, openWithoutWaiting } from './log-output.js';
import { printable } from './printable.js';
import { redact } from './redact.js';

/** An event that is not a request: its message, with uploader and upload if it has them. */
function describeEvent({ msg, path, bytes, uploader, reason }: Readonly<Record<string, unknown>>): string {
  const by = uploader === undefined ? '' : ` (${uploader})`;
  const upload = path === undefined || bytes === undefined ? path : `${path}, ${bytes} bytes`;
  return [`${msg}${by}`, upload, reason].filter((part) => part !== undefined).join(': ');
}

/** The text of a line for people. */
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

/** Texts with several lines: snippets to paste, and stack traces. */
const keysOfLines = ['msg', 'stack'];

/** Makes a value of a line safe to print: it cannot control the terminal or look like another line. */
function plain(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const lines = printable(value).split('\n');
  return lines.join(keysOfLines.includes(key) ? '\n    ' : '\\n');
}

/** Turns a line of JSON into the text to write. */
async function formatter(format: 'json' | 'pretty'): Promise<(json: string) => string> {
  if (format === 'json') return printable;
  const { prettyFactory } = await import('pino-pretty');
  const prettify = prettyFactory(prettyOptions);
  return (json) => prettify(JSON.parse(json, plain));
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
