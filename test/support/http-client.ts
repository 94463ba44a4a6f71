import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { request as requestByTls } from 'node:https';

/** Where to send a request: `rawTarget` is written into the request line as it stands, as UTF-8. */
export interface Target {
  readonly origin: string;
  readonly rawTarget: string;
}

/** What to send; without a body no Content-Length is sent. */
export interface RequestOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

/** A complete answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Long: ten uploads of 100 MiB to a bucket on a busy machine take half a minute. */
const answerTimeoutMs = 120_000;

/**
 * Sends one request on a connection of its own, never normalising the path nor looking at the certificate; throws if no
 * whole answer comes.
 */
export function send(to: string | Target, options: RequestOptions = {}): Promise<Answer> {
  const { origin, rawTarget } = typeof to === 'string' ? splitUrl(to) : to;
  const { protocol, hostname, port } = new URL(origin);
  const { method = 'GET', body } = options;
  const length = body === undefined ? {} : { 'content-length': body.length };
  const headers = { ...length, ...options.headers };
  return new Promise((resolve, reject) => {
    // node:http writes a path as latin1.
    const path = Buffer.from(rawTarget).toString('latin1');
    const options = { hostname, port, path, method, headers, agent: false };
    const outgoing = protocol === 'https:' ? requestByTls({ ...options, rejectUnauthorized: false }) : request(options);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        outgoing.destroy(); // an answer may come before the body is sent: the rest of it is not wanted
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('error', reject);
    outgoing.setTimeout(answerTimeoutMs, () => {
      outgoing.destroy(new Error(`${method} ${rawTarget}: silent for ${answerTimeoutMs} ms`));
    });
    outgoing.end(body);
  });
}

/** Splits an http or https URL without touching its path: `new URL()` would resolve `..` and drop a fragment. */
export function splitUrl(url: string): Target {
  const [, origin, rawTarget] = /^(https?:\/\/[^/]+)(\/.*)$/su.exec(url) ?? [];
  if (origin === undefined || rawTarget === undefined) {
    throw new Error(`not an http URL with a path: ${url}`);
  }
  return { origin, rawTarget };
}
