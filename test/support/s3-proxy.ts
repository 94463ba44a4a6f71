/*
 * An HTTP proxy in front of an S3 service, for what the service does not do by itself when it is asked to: answers that break
 * off or never come, refusals of a single object, and services that differ. Requests pass as they are, since they are signed.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { listenOnFreePort } from './listening.js';
import type { S3Access, S3Service } from './s3-service.js';
import type { Teardown } from './temp-dir.js';

/** A request that passes the proxy. */
export interface PassingRequest {
  readonly method: string;
  /** Without the bucket, decoded. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
}

/** How the proxy changes an exchange. */
export interface Meddling {
  /** Answered by the proxy, with this status and this error code of S3. */
  readonly refuse?: { readonly status: number; readonly code: string };
  /** The connection breaks after so many bytes of the answer's body; 0: in place of the answer. */
  readonly cutAfter?: number;
  /** Replaces the body of the answer. */
  readonly rewrite?: (body: string) => string;
}

/** The service as it is reached through the proxy. */
export interface S3Proxy extends S3Access {
  /** Every request so far, such as `GET s/f`. */
  readonly requests: string[];
  /** Asked about each request, before it passes. */
  meddle: (request: PassingRequest) => Promise<Meddling | undefined> | Meddling | undefined;
}

function readRequest({ method = '', url = '', headers }: IncomingMessage): PassingRequest {
  const { pathname, searchParams: query } = new URL(url, 'http://x');
  const [, , ...segments] = pathname.split('/');
  return { method, key: decodeURIComponent(segments.join('/')), query, headers };
}

async function pass(incoming: IncomingMessage, answer: ServerResponse, port: string, { cutAfter, rewrite }: Meddling) {
  const { method, url, rawHeaders: headers } = incoming;
  const outgoing = request({ host: '127.0.0.1', port, method, path: url, headers, setHost: false });
  incoming.pipe(outgoing);
  // An error after the answer does not matter: Swift sends a body with answers that must not have one.
  outgoing.on('error', () => undefined);
  answer.on('close', () => outgoing.destroy());
  const [upstream] = (await once(outgoing, 'response')) as [IncomingMessage];
  if (rewrite !== undefined) {
    answer.writeHead(upstream.statusCode ?? 0, { 'content-type': 'application/xml' });
    answer.end(rewrite((await buffer(upstream)).toString()));
    return;
  }
  if (cutAfter === 0) {
    answer.destroy();
    return;
  }
  answer.writeHead(upstream.statusCode ?? 0, upstream.rawHeaders);
  let passed = 0;
  if (cutAfter !== undefined) {
    upstream.on('data', (chunk: Buffer) => {
      passed += chunk.length;
      // The bytes written before are sent first.
      if (passed >= cutAfter) answer.socket?.destroySoon();
    });
  }
  await pipeline(upstream, answer);
}

/** Starts a proxy to a service on this host. */
export async function startS3Proxy(t: Teardown, { endpoint, ...access }: S3Access): Promise<S3Proxy> {
  const { port } = new URL(endpoint);
  const requests: string[] = [];
  const server = createServer((incoming, answer) => {
    const handle = async () => {
      const passing = readRequest(incoming);
      requests.push(`${passing.method} ${passing.key}`);
      const meddling = (await proxy.meddle(passing)) ?? {};
      if (meddling.refuse === undefined) return pass(incoming, answer, port, meddling);
      const { status, code } = meddling.refuse;
      incoming.resume();
      answer.writeHead(status, { 'content-type': 'application/xml' });
      return answer.end(passing.method === 'HEAD' ? '' : `<Error><Code>${code}</Code><Message>no</Message></Error>`);
    };
    handle().catch(() => answer.destroy());
  });
  const origin = `http://127.0.0.1:${await listenOnFreePort(t, server)}`;
  const proxy: S3Proxy = { ...access, endpoint: origin, requests, meddle: () => undefined };
  return proxy;
}

/** Makes a bucket of its own, which is reached through a proxy. */
export async function createBucketBehindProxy<Service extends S3Service>(t: Teardown, peer: Service) {
  return { peer, proxy: await startS3Proxy(t, peer), bucket: await peer.createBucket() };
}
