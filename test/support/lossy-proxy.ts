import { connect, createServer } from 'node:net';
import { listenOnFreePort } from './listening.js';
import type { Teardown } from './temp-dir.js';

/** A network between a client and a server. */
export interface LossyProxy {
  readonly origin: string;
  /** How many bytes a client may send in a row before the connection breaks when the server answers. */
  loseAnswersAfter(bytes: number): void;
  /** After how many bytes in a row the network swallows what a client sends, and leaves the connection open. */
  swallowAfter(bytes: number): void;
}

/** Starts a TCP proxy to an `http://host:port` origin. */
export async function startLossyProxy(t: Teardown, origin: string): Promise<LossyProxy> {
  const { hostname, port } = new URL(origin);
  let lostAfter = Number.POSITIVE_INFINITY;
  let swallowedAfter = Number.POSITIVE_INFINITY;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let sent = 0;
    client.on('data', (chunk) => {
      sent += chunk.length;
      if (sent <= swallowedAfter) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (sent > lostAfter) {
        client.destroy();
        upstream.destroy();
        return;
      }
      sent = 0;
      client.write(chunk);
    });
    for (const [socket, other] of [[client, upstream] as const, [upstream, client] as const]) {
      socket.on('error', () => undefined).on('close', () => other.destroy());
    }
  });
  return {
    origin: `http://127.0.0.1:${await listenOnFreePort(t, server)}`,
    loseAnswersAfter: (bytes) => {
      lostAfter = bytes;
    },
    swallowAfter: (bytes) => {
      swallowedAfter = bytes;
    },
  };
}
