import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { cutOff } from './exchange.js';

/** How long a connection that is new when the server closes may take to send its first request. */
const firstRequestMs = 1000;

/** A request whose answer is on its way. */
export interface Owed {
  readonly request: FastifyRequest;
  readonly response: ServerResponse;
}

/** The state of an open connection. */
export interface Connection {
  /** Whether it has had no request yet. Its client cannot know that the server is about to close. */
  isNew: boolean;
  /** What the client waits for. There is one answer at a time: see pipelining.ts. */
  owed: Owed | undefined;
  /** What happens once the owed answer is out. */
  next: (() => void) | undefined;
  /** How many bytes had been read when the last request's head was there. */
  headAt: number | undefined;
  /** How many bytes had been read when the last request was over. */
  readBefore: number;
  /** Timeouts in a row in which the client took no byte, and how many bytes it had taken then: see stalls.ts. */
  stalls: number;
  takenBytes: number;
}

/** The open connections of a server, and what each is waiting for. */
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  #isClosing = false;

  /** Follows the server's connections from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      // Pipelined requests bring a connection here again.
      if (this.#connections.has(socket)) return;
      this.#connections.set(socket, {
        isNew: true,
        owed: undefined,
        next: undefined,
        headAt: undefined,
        readBefore: 0,
        stalls: 0,
        takenBytes: 0,
      });
      socket.once('close', () => this.#connections.delete(socket));
      if (this.#isClosing) this.#closeNew(socket);
    });
  }

  /** The state of a connection, `undefined` once it is closed. */
  find(socket: Socket): Connection | undefined {
    return this.#connections.get(socket);
  }

  /**
   * Whether a request whose head is there may be answered now. It comes too early while an answer is owed, and also where its
   * bytes came together with those of the request before: however soon that one is answered, one read brings one request.
   */
  takeTurn(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return true;
    if (connection.owed !== undefined || connection.headAt === socket.bytesRead) return false;
    connection.headAt = socket.bytesRead;
    return true;
  }

  /** Remembers that the request's client waits for an answer until that is out. */
  beginAnswer(request: FastifyRequest, { raw: response }: FastifyReply): void {
    const { socket } = request.raw;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.isNew = false;
    connection.owed = { request, response };
    response.once('close', () => this.#finish(socket, connection));
  }

  /** Whether an answer is on its way on the connection. */
  isAnswering(socket: Socket): boolean {
    return this.#connections.get(socket)?.owed !== undefined;
  }

  /** Ends every connection on which nothing is on its way, now or as soon as that is so; new ones a moment later. */
  close(): void {
    this.#isClosing = true;
    for (const [socket, { isNew, owed }] of this.#connections) {
      if (isNew) this.#closeNew(socket);
      else if (owed === undefined) socket.destroy();
    }
  }

  /** Breaks off all that is still on its way; returns how many requests that were. */
  breakOff(reason: string): number {
    let count = 0;
    for (const [socket, { owed }] of this.#connections) {
      if (owed === undefined) {
        socket.destroy();
        continue;
      }
      cutOff(owed.request, 'SHUTDOWN', reason);
      count += 1;
    }
    return count;
  }

  #closeNew(socket: Socket): void {
    setTimeout(() => !this.isAnswering(socket) && socket.destroy(), firstRequestMs).unref();
  }

  /** Does what waits until no answer is owed. */
  goOn(socket: Socket, connection: Connection): void {
    const { next } = connection;
    Object.assign(connection, { next: undefined, headAt: undefined });
    if (this.#isClosing) socket.destroySoon();
    else if (socket.writable) next?.();
  }

  #finish(socket: Socket, connection: Connection): void {
    Object.assign(connection, { owed: undefined, readBefore: socket.bytesRead, stalls: 0 });
    if (this.#isClosing || connection.next !== undefined) this.goOn(socket, connection);
  }
}
