import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How long a connection that is new when the server closes may take to send its first request. */
const firstRequestMs = 1000;

interface Connection {
  /** Whether it has had no request yet, which its client cannot know to be unwanted. */
  isNew: boolean;
  /** The answer that is on its way. */
  answer: ServerResponse | undefined;
  /** Pipelined requests whose turn has not come. */
  waiting: number;
}

/**
 * The open connections of a server. Node hands over pipelined requests (RFC 9112 §9.3.2) all at once, and never closes
 * the answer of one whose connection breaks before its turn: so each waits here until the answer before it is out, and
 * the connection is not read meanwhile.
 */
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  #isClosing = false;

  /** Follows the server's connections from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#connections.set(socket, { isNew: true, answer: undefined, waiting: 0 });
      socket.once('close', () => this.#connections.delete(socket));
      if (this.#isClosing) this.#closeNew(socket);
    });
  }

  /** Calls back when it is the request's turn to be answered: at once unless it is pipelined. */
  takeTurn({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const isTurn = () => {
      connection.isNew = false;
      connection.answer = response;
      response.once('close', () => this.#finish(socket, connection, response));
      begin();
    };
    if (response.socket !== null) {
      isTurn();
      return;
    }
    connection.waiting += 1;
    socket.pause();
    response.once('socket', () => {
      connection.waiting -= 1;
      if (connection.waiting === 0) socket.resume();
      isTurn();
    });
  }

  /** Whether an answer is on its way on the connection. */
  isAnswering(socket: Socket): boolean {
    return this.#connections.get(socket)?.answer !== undefined;
  }

  /** Ends every connection on which nothing is on its way, now or as soon as that is so; new ones a moment later. */
  close(): void {
    this.#isClosing = true;
    for (const [socket, { isNew, answer }] of this.#connections) {
      if (isNew) this.#closeNew(socket);
      else if (answer === undefined) socket.destroy();
    }
  }

  #closeNew(socket: Socket): void {
    setTimeout(() => !this.isAnswering(socket) && socket.destroy(), firstRequestMs).unref();
  }

  #finish(socket: Socket, connection: Connection, response: ServerResponse): void {
    if (connection.answer !== response) return;
    connection.answer = undefined;
    if (this.#isClosing) socket.destroySoon();
  }
}
