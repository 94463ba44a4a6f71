/*
 * node:http rather than fetch, which normalises paths, follows redirects and joins headers that come twice.
 */
import http, { type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { messageOf, systemErrorCode } from '../../errors.js';

/** A request; the target goes into the request line as it stands. */
export interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /** Bytes that are announced after the body and never sent. */
  readonly withheldBytes?: number;
  /** How long the connection may move no byte. */
  readonly patienceMs?: number;
}

/** A complete answer; each header with all of its lines. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<NodeJS.Dict<string[]>>;
  readonly body: Buffer;
  /** From the start of the connection to the end of the answer. */
  readonly durationMs: number;
  /** The URL to which a redirect or a slot sent the client, where this is the store's answer to it. */
  readonly redirectedTo?: URL;
}

/** No answer came: `code` is the system's, Node's or OpenSSL's, or `SILENT` where a connection moved nothing for too long. */
export class NoAnswerError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** No answer came from the store to which clients are sent. */
export class NoStoreError extends NoAnswerError {
  readonly origin: string;

  constructor(origin: string, error: NoAnswerError) {
    super(error.code, error.message, { cause: error });
    this.origin = origin;
  }
}

const defaultPatienceMs = 30_000;

function toNoAnswer(error: unknown): NoAnswerError {
  if (error instanceof NoAnswerError) return error;
  const code = systemErrorCode(error) ?? 'unknown';
  return new NoAnswerError(code, messageOf(error) || code, { cause: error });
}

/** The lines of a header as one, `''` where there is none. */
export function headerOf({ headers }: Answer, name: string): string {
  return (headers[name] ?? []).join(', ');
}

/** Sends one request on a connection of its own. Throws a NoAnswerError. */
export function sendRequest(origin: string, request: Request): Promise<Answer> {
  const { method, target, body = Buffer.alloc(0), withheldBytes = 0, patienceMs = defaultPatienceMs } = request;
  const { protocol, hostname, port } = new URL(origin);
  const length = request.body === undefined ? {} : { 'content-length': body.length + withheldBytes };
  const options = {
    hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    method,
    path: target,
    headers: { ...length, ...request.headers },
    agent: false,
  } as const;
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = (protocol === 'https:' ? https : http).request(options);
    const fail = (error: unknown) => reject(toNoAnswer(error));
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', fail);
      incoming.on('end', () => {
        outgoing.destroy(); // an answer may come before the body is sent: the rest of it is not wanted
        const { statusCode: status = 0, headersDistinct: headers } = incoming;
        resolve({ status, headers, body: Buffer.concat(chunks), durationMs: performance.now() - startedAt });
      });
    });
    outgoing.setTimeout(patienceMs, () => {
      const code = outgoing.socket?.connecting === false ? 'SILENT' : 'ETIMEDOUT';
      outgoing.destroy(new NoAnswerError(code, `nothing came for ${patienceMs / 1000} s`));
    });
    if (withheldBytes > 0) outgoing.write(body);
    else outgoing.end(body);
  });
}
