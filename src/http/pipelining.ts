/*
 * Pipelined requests (RFC 9112 §9.3.2). Node parses all requests of a packet at once and keeps several objects for each,
 * even for a client that reads no answers. Here a connection has one request at a time. Later requests stay bytes, and the
 * connection is not read any further until the answer is out.
 * How it works: after the head of a request that upgrades the connection, Node stops parsing and hands over the socket and
 * the bytes behind the head. So a request that comes too early pretends to be an upgrade. When its turn comes, its bytes
 * are put back in front of the socket's, and the server gets the socket as if it were a new connection.
 */
import { IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.js';
import { closeGently } from './gentle-close.js';

/** With more bytes, the connection is closed after the answer. Pipelining clients can handle that (RFC 9112 §9.3.2). */
export const maxHeldBytes = 4 * 1024;

/** A class for a server's requests that stops Node's parser at a request that comes before its turn. */
export function turnTakingMessage(connections: Connections): typeof IncomingMessage {
  return class extends IncomingMessage {
    readonly #isEarly: boolean;

    constructor(socket: Socket) {
      super(socket);
      this.#isEarly = !connections.takeTurn(socket);
      if (this.#isEarly) socket.pause();
    }

    // A client's own wish to upgrade is ignored.
    get upgrade(): boolean {
      return this.#isEarly || this.method === 'CONNECT';
    }

    // Node assigns what the head says.
    set upgrade(_value: boolean) {}
  };
}

function headBytes({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    head += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  }
  return Buffer.from(`${head}\r\n`, 'latin1');
}

/** Holds back each request that comes before its turn until the previous answer is out. Calls back on more than 4 KiB. */
export function holdEarlyRequests(server: Server, connections: Connections, onTooMuch: (socket: Socket) => void): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, rest: Buffer) => {
    const connection = connections.find(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const response = connection.owed?.response;
    // Node has removed its own listeners from the socket. Without one for errors, a reset connection would end the process.
    const onError = () => undefined;
    const onDrain = () => response?.emit('drain');
    const onTimeout = () => server.emit('timeout', socket);
    socket.on('error', onError).on('drain', onDrain).on('timeout', onTimeout);
    const held = Buffer.concat([headBytes(request), rest.subarray(0, maxHeldBytes)]);
    const isTooMuch = rest.length > maxHeldBytes;
    if (isTooMuch) onTooMuch(socket);
    connection.next = () => {
      if (isTooMuch) return closeGently(socket);
      socket.off('error', onError).off('drain', onDrain).off('timeout', onTimeout);
      socket.unshift(held);
      server.emit('connection', socket);
    };
    // In another turn of the event loop, so that other connections get theirs first.
    if (response === undefined) setImmediate(() => connections.goOn(socket, connection));
  });
}
