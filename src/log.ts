import { type Logger, pino } from 'pino';
import type { PrettyOptions } from 'pino-pretty';

/** Anything but a request: its message, and whose and which upload it is about. */
function describeEvent({ msg, path, bytes, uploader, reason }: Readonly<Record<string, unknown>>): string {
  const by = uploader === undefined ? '' : ` (${uploader})`;
  const upload = path === undefined ? undefined : `${path}, ${bytes} bytes`;
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
  sync: true,
  translateTime: 'SYS:HH:MM:ss.l',
  ignore: 'method,path,status,bytes,sentBy,durationMs,uploader,reason,aborted,reqId',
  messageFormat: describeForPeople,
};

/** The program's logger on standard output: one JSON object a line, or text for people. */
export async function createLogger(level: string, format: 'json' | 'pretty'): Promise<Logger> {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (format === 'json') return pino(options);
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty(prettyOptions));
}
