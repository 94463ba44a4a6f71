/*
 * Uses node:http, because fetch normalises paths, follows redirects and joins repeated headers.
 */
import http, { type ClientRequest, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { messageOf, systemErrorCode } from '../../errors.js';
import type { ProxyName } from '../explain/proxies.js';
import { readLeniently } from './lenient-answer.js';

/** A request; the target is sent in the request line unchanged. */
export interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /** How many bytes Content-Length announces after the body that are never sent. */
  readonly withheldBytes?: number;
  /** How long the body takes to be sent, in pieces of 1 KiB; `undefined`: at once. */
  readonly paceMs?: number;
  /** How long the connection may be idle. */
  readonly patienceMs?: number;
}

/** A complete answer; each header has all of its lines. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<NodeJS.Dict<string[]>>;
  readonly body: Buffer;
  /** From the start of the connection to the end of the answer. */
  readonly durationMs: number;
  /** The proxy in front of prosody-filer, where one is known. */
  readonly proxy?: ProxyName | undefined;
  /** Set if the store answered: the URL to which a redirect or a slot sent the client. */
  readonly redirectedTo?: URL;
}

/** No answer came: `code` is the system's, Node's or OpenSSL's, or `SILENT` if the connection was idle for too long. */
export class NoAnswerError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** No answer came from the store to which a redirect or a slot sent the client. */
export class NoStoreError extends NoAnswerError {
  readonly origin: string;

  constructor(origin: string, error: NoAnswerError) {
    super(error.code, error.message, { cause: error });
    this.origin = origin;
  }
}

const defaultPatienceMs = 30_000;
/** What is sent of a body at once. */
const pieceBytes = 256 * 1024;
const slowPieceBytes = 1024;

function toNoAnswer(error: unknown): NoAnswerError {
  if (error instanceof NoAnswerError) return error;
  const code = systemErrorCode(error) ?? 'unknown';
  return new NoAnswerError(code, messageOf(error).trim() || code, { cause: error });
}

/** All lines of a header, joined by commas; `''` if the answer lacks it. */
export function headerOf({ headers }: Answer, name: string): string {
  return (headers[name] ?? []).join(', ');
}

/** Sends a body in pieces of 1 KiB, evenly over this time, and ends the request. Stops when the request is over. */
function sendSlowly(outgoing: ClientRequest, body: Buffer, paceMs: number, write: (piece: Buffer) => void): void {
  let at = 0;
  const timer = setInterval(
    () => {
      write(body.subarray(at, at + slowPieceBytes));
      at += slowPieceBytes;
      if (at < body.length) return;
      clearInterval(timer);
      outgoing.end();
    },
    (paceMs * slowPieceBytes) / body.length,
  );
  outgoing.once('close', () => clearInterval(timer));
}

/** Sends one request on a connection of its own. Throws a NoAnswerError. */
export function sendRequest(origin: string, request: Request, onBytes: (bytes: number) => void): Promise<Answer> {
  const { method, target, body = Buffer.alloc(0), withheldBytes = 0, patienceMs = defaultPatienceMs, paceMs } = request;
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
    outgoing.on('error', (error) => {
      const answer = readLeniently(error);
      if (answer === undefined) fail(error);
      else resolve({ ...answer, durationMs: performance.now() - startedAt });
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        onBytes(chunk.length);
      });
      incoming.on('error', fail);
      incoming.on('end', () => {
        outgoing.destroy(); // An answer may come before the whole body is sent: do not send the rest.
        const { statusCode: status = 0, headersDistinct: headers } = incoming;
        resolve({ status, headers, body: Buffer.concat(chunks), durationMs: performance.now() - startedAt });
      });
    });
    outgoing.setTimeout(patienceMs, () => {
      const code = outgoing.socket?.connecting === false ? 'SILENT' : 'ETIMEDOUT';
      outgoing.destroy(new NoAnswerError(code, `no data for ${patienceMs / 1000} s`));
    });
    const write = (piece: Buffer) => outgoing.write(piece, (error) => !error && onBytes(piece.length));
    if (paceMs !== undefined) {
      sendSlowly(outgoing, body, paceMs, write);
      return;
    }
    for (let at = 0; at < body.length; at += pieceBytes) write(body.subarray(at, at + pieceBytes));
    if (withheldBytes === 0) outgoing.end();
  });
}
