/*
 * Pipelined requests (RFC 9112 §9.3.2). Node parses all requests of a packet at once and keeps several objects for each,
 * also for a client that reads no answer. Here a connection has one request at a time: what follows stays bytes, and the
 * connection is not read on until the answer is out.
 * How: Node stops parsing behind the head of a request that upgrades the connection, and hands over the socket and the
 * bytes behind the head. So a request that comes too early pretends to upgrade. When its turn has come, its bytes are put
 * back in front of what the socket has, and the server is given the socket as if it were a new connection.
 */
import { IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Connections } from './connections.js';
import { closeGently } from './gentle-close.js';

/** Beyond that, the connection is closed after the answer, for which clients are prepared (RFC 9112 §9.3.2). */
const maxHeldBytes = 4 * 1024;

/** The class of a server's requests: it stops Node's parser at a request that comes before its turn. */
export function turnTakingMessage(connections: Connections): typeof IncomingMessage {
  return class extends IncomingMessage {
    readonly #isEarly: boolean;

    constructor(socket: Socket) {
      super(socket);
      this.#isEarly = !connections.takeTurn(socket);
      if (this.#isEarly) socket.pause();
    }

    // Other requests that want to upgrade are answered as if they did not.
    get upgrade(): boolean {
      return this.#isEarly || this.method === 'CONNECT';
    }

    // Node sets what the head says.
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

/** Holds each request that comes before its turn until the answer before it is out; calls back where it is too much. */
export function holdEarlyRequests(server: Server, connections: Connections, onTooMuch: (socket: Socket) => void): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, rest: Buffer) => {
    const connection = connections.find(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const response = connection.owed?.response;
    // Node has taken its own listeners from the socket. Without one for errors, a broken connection would end the process.
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
    // In another turn of the event loop: others have theirs before.
    if (response === undefined) setImmediate(() => connections.goOn(socket, connection));
  });
}
