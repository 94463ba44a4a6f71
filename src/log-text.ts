import { type PrettyOptions, prettyFactory } from 'pino-pretty';
import { printable } from './printable.js';

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

const prettify = prettyFactory(prettyOptions);

/** Turns a line of JSON into text for people. */
export function textForPeople(json: string): string {
  return prettify(JSON.parse(json, plain));
}
