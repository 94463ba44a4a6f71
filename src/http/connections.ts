/*
 * The state of each open connection. pipelining.ts, stalls.ts, close-in-time.ts and client-error.ts use it to bound what
 * one client can hold. A connection has one request at a time: the next one waits until the answer is out.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { cutOff } from './exchange.js';

/** How long a client that has sent no request yet still has for its first one when the server closes. */
const firstRequestMs = 1000;

/** A request whose answer is not complete yet. */
export interface Owed {
  readonly request: FastifyRequest;
  readonly response: ServerResponse;
}

/** The state of an open connection. */
export interface Connection {
  /** Whether no request has come yet. Such a client cannot know that the server is about to close. */
  isNew: boolean;
  /** The request that is being answered. */
  owed: Owed | undefined;
  /** What to do once the owed answer is out. */
  next: (() => void) | undefined;
  /** How many bytes had been read when the head of the current request was complete. */
  headAt: number | undefined;
  /** How many bytes had been read when the last request was over. */
  readBefore: number;
  /** How many looks in a row found that the client moved no byte, and what it had moved by then: see stalls.ts. */
  stalls: number;
  movedBytes: number;
  /** The packets of a head that is not complete yet, and since when its target has been encoded: see raw-targets.ts. */
  begunHead: Buffer | undefined;
  encodedAt: number | undefined;
}

/** The open connections of a server. */
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  #isClosing = false;

  /** Tracks every connection that the server accepts from now on. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      // pipelining.ts hands over a connection again for each request that it held back.
      if (this.#connections.has(socket)) return;
      const connection: Connection = {
        isNew: true,
        owed: undefined,
        next: undefined,
        headAt: undefined,
        readBefore: 0,
        stalls: 0,
        movedBytes: 0,
        begunHead: undefined,
        encodedAt: undefined,
      };
      this.#connections.set(socket, connection);
      socket.once('close', () => this.#connections.delete(socket));
      if (this.#isClosing) this.#closeNew(socket, connection);
    });
  }

  /** The state of a connection, `undefined` once it is closed. */
  find(socket: Socket): Connection | undefined {
    return this.#connections.get(socket);
  }

  /**
   * Whether a request may be answered now that its head is complete. It comes too early while an answer is owed. It also
   * comes too early if the same read brought an earlier request, even one that is answered already: one request per read.
   */
  takeTurn(socket: Socket): boolean {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return true;
    connection.begunHead = undefined;
    if (connection.owed !== undefined || connection.headAt === socket.bytesRead) return false;
    connection.headAt = socket.bytesRead;
    connection.encodedAt = undefined;
    return true;
  }

  /** Marks the connection as owing an answer to the request until that answer is out. */
  beginAnswer(request: FastifyRequest, { raw: response }: FastifyReply): void {
    const { socket } = request.raw;
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.isNew = false;
    connection.owed = { request, response };
    response.once('close', () => {
      Object.assign(connection, { owed: undefined, readBefore: socket.bytesRead, stalls: 0 });
      if (this.#isClosing || connection.next !== undefined) this.goOn(socket, connection);
    });
  }

  /** Runs what waited for the answer, or ends the connection if the server is closing. */
  goOn(socket: Socket, connection: Connection): void {
    const { next } = connection;
    Object.assign(connection, { next: undefined, headAt: undefined });
    if (this.#isClosing) socket.destroySoon();
    else if (socket.writable) next?.();
  }

  /** Closes idle connections now, busy ones once their answer is out, and new ones if no request comes within 1 s. */
  close(): void {
    this.#isClosing = true;
    for (const [socket, connection] of this.#connections) {
      if (connection.isNew) this.#closeNew(socket, connection);
      else if (connection.owed === undefined) socket.destroy();
    }
  }

  /** Closes every connection at once. Returns how many requests this aborted. */
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

  #closeNew(socket: Socket, connection: Connection): void {
    setTimeout(() => connection.owed === undefined && socket.destroy(), firstRequestMs).unref();
  }
}
