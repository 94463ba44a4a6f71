/*
 * Browsers accept an answer with several Content-Length lines of the same value (Fetch, "extract a length"). Node's parser
 * rejects it, and its error has the bytes that it was given. An nginx that answers OPTIONS by itself with
 * `add_header Content-Length 0; return 200;` sends such an answer.
 */
import type { Answer } from './send-request.js';

/** Reads a whole answer from what Node's parser rejected for its Content-Length lines; `undefined` if browsers reject it too. */
export function readLeniently(rejected: unknown): Pick<Answer, 'status' | 'headers' | 'body'> | undefined {
  if (!(rejected instanceof Error && 'rawPacket' in rejected && Buffer.isBuffer(rejected.rawPacket))) return undefined;
  const [, head = '', text = ''] = /^([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(rejected.rawPacket.toString('latin1')) ?? [];
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string[]> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    const key = name.toLowerCase();
    headers[key] = [...(headers[key] ?? []), value];
  }
  const [length, ...others] = new Set(headers['content-length']);
  const [, status] = /^HTTP\/1\.[01] (\d{3})/.exec(statusLine) ?? [];
  const body = Buffer.from(text, 'latin1');
  if (status === undefined || others.length > 0 || length !== String(body.length)) return undefined;
  return { status: Number(status), headers: { ...headers, 'content-length': [length] }, body };
}
