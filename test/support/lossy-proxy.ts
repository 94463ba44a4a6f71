import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Teardown } from './temp-dir.js';

/** A network between a client and a server. */
export interface LossyProxy {
  readonly origin: string;
  /** How many bytes a client may send in a row before the connection breaks when the server answers. */
  loseAnswersAfter(bytes: number): void;
}

/** Starts a TCP proxy to an `http://host:port` origin. */
export async function startLossyProxy(t: Teardown, origin: string): Promise<LossyProxy> {
  const { hostname, port } = new URL(origin);
  let lostAfter = Number.POSITIVE_INFINITY;
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    sockets.push(client, upstream);
    let sent = 0;
    client.on('data', (chunk) => {
      sent += chunk.length;
      upstream.write(chunk);
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
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    loseAnswersAfter: (bytes) => {
      lostAfter = bytes;
    },
  };
}
