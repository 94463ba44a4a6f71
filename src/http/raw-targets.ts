/*
 * Raw UTF-8 in a request target. ejabberd since 25.08 hands out such URLs, and Node's parser answers 400 to them. Here each
 * byte from 0x80 on counts as if the client had percent-encoded it.
 * How it works: when the parser refuses such a byte, the bytes of that request are put back in front of the socket's, with
 * their target encoded, and the server gets the socket as if it were a new connection. So the parser reads the whole request
 * again, and still refuses everything else.
 * The parser's error holds only the last packet. If the head began in an earlier packet, its bytes have to be remembered.
 * Node has no public way to see them, and a listener for "data" would make uploads slower, so its callback for reads is
 * wrapped. On a version of Node without these callbacks, such requests are 400 as before.
 */
import { METHODS, maxHeaderSize, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Connection, Connections } from './connections.js';
import { closeGently } from './gentle-close.js';
import { maxHeldBytes } from './pipelining.js';

/** An error of Node's parser, with the packet that it refused and the place in it. */
export interface ParserError extends Error {
  readonly code?: string;
  readonly rawPacket?: unknown;
  readonly bytesParsed?: number;
}

/** What is used of Node's parser: its callbacks, and their names. */
interface Parser {
  readonly constructor: { readonly kOnMessageBegin?: number; readonly kOnExecute?: number };
  getCurrentBuffer(): Buffer;
  [callback: number]: unknown;
}

const nothing = Buffer.alloc(0);

/**
 * The part of a request line before a refused byte. No method ends with the name of a longer one that is served here, so the
 * end of the previous body cannot turn the request into another one.
 */
const requestLine = new RegExp(`(?:${METHODS.join('|')}) +[^ \\r\\n]*$`);

/** The events for which Node's HTTP server listens, apart from "close". */
const nodesEvents = ['data', 'drain', 'end', 'error', 'pause', 'resume', 'timeout'];

/**
 * The refused request, with each byte from 0x80 on in its target percent-encoded; `undefined` if the parser refused something
 * else. `begun` holds the packets in which its head began.
 */
export function withEncodedTarget(
  { code, rawPacket, bytesParsed }: ParserError,
  begun: Buffer = nothing,
): Buffer | undefined {
  if (code !== 'HPE_INVALID_URL' || !Buffer.isBuffer(rawPacket) || bytesParsed === undefined) return undefined;
  if ((rawPacket[bytesParsed] ?? 0) < 0x80) return undefined;
  const before = Buffer.concat([begun, rawPacket.subarray(0, bytesParsed)]).toString('latin1');
  const line = requestLine.exec(before)?.[0];
  if (line === undefined) return undefined;
  const rest = rawPacket.toString('latin1', bytesParsed);
  const end = rest.search(/[ \r\n]/);
  const target = end === -1 ? rest : rest.slice(0, end);
  const encoded = target.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
  return Buffer.from(line + encoded + rest.slice(target.length), 'latin1');
}

function parserOf(socket: Socket): Parser | undefined {
  return (socket as { parser?: Parser | null }).parser ?? undefined;
}

/** Keeps a packet if a head began in it or before, and is not complete. */
function remember(connection: Connection, packet: () => Buffer): void {
  if (connection.begunHead === undefined) return;
  // Before the head, a packet may hold the end of a body.
  connection.begunHead = Buffer.concat([connection.begunHead, packet().subarray(-maxHeaderSize)]);
}

/** Remembers the packets that Node's parser reads by itself. */
function watchReads(connection: Connection, parser: Parser, onRead: number): void {
  const execute = parser[onRead];
  if (typeof execute !== 'function') return;
  parser[onRead] = (result: unknown) => {
    if (typeof result === 'number') remember(connection, () => parser.getCurrentBuffer());
    execute(result);
  };
}

/** Remembers the packets of a connection that was handed over again: there, Node's parser gets them as events. */
function watchEvents(connection: Connection, parser: Parser, socket: Socket): void {
  const onData = (packet: Buffer) => {
    if (parserOf(socket) === parser) remember(connection, () => packet);
    else socket.off('data', onData);
  };
  // Not socket.on(): Node's server replaced it, and would stop to read from the socket when it is resumed.
  Duplex.prototype.on.call(socket, 'data', onData);
}

/** Remembers the beginning of each head on the connections that the server accepts from now on, also when handed over again. */
export function rememberHeads(server: Server, connections: Connections): void {
  const known = new WeakSet<Socket>();
  server.on('connection', (socket: Socket) => {
    const connection = connections.find(socket);
    const parser = parserOf(socket);
    const { kOnMessageBegin, kOnExecute } = parser?.constructor ?? {};
    if (!connection || !parser || kOnMessageBegin === undefined || kOnExecute === undefined) return;
    connection.begunHead = undefined;
    parser[kOnMessageBegin] = () => {
      connection.begunHead = nothing;
    };
    if (known.has(socket)) watchEvents(connection, parser, socket);
    else watchReads(connection, parser, kOnExecute);
    known.add(socket);
  });
}

/** What Node's HTTP server does when the socket closes. */
function closeListener(socket: Socket): (() => void) | undefined {
  return socket.listeners('close').find(({ name }) => name === 'bound socketOnClose') as (() => void) | undefined;
}

/** Takes the socket from Node's HTTP server, as Node itself does for a request that upgrades. */
function takeFromServer(socket: Socket, onClose: () => void): void {
  socket.off('close', onClose);
  onClose();
  for (const event of nodesEvents) socket.removeAllListeners(event);
}

/**
 * Gives a request that was refused for a byte from 0x80 on in its target to the server again, with that target encoded, once
 * it is its turn. Returns false if it was refused for another reason. Calls back on more than 4 KiB behind the head of a
 * request that has to wait, as `holdEarlyRequests` does.
 */
export function encodeRawTarget(
  server: Server,
  connections: Connections,
  [error, socket]: readonly [ParserError, Socket],
  onTooMuch: (socket: Socket) => void,
): boolean {
  const connection = connections.find(socket);
  const bytes = connection && withEncodedTarget(error, connection.begunHead);
  const onClose = closeListener(socket);
  if (connection === undefined || bytes === undefined || onClose === undefined) return false;
  // Node's own limit to the time for a head begins again each time.
  const encodedAt = connection.encodedAt ?? Number.POSITIVE_INFINITY;
  if (performance.now() - encodedAt > server.headersTimeout) return false;
  socket.pause();
  const isTooMuch = connection.owed !== undefined && bytes.length > maxHeaderSize + maxHeldBytes;
  if (isTooMuch) onTooMuch(socket);
  connection.next = isTooMuch
    ? () => closeGently(socket)
    : () => {
        connection.encodedAt ??= performance.now();
        takeFromServer(socket, onClose);
        socket.unshift(bytes);
        server.emit('connection', socket);
        socket.resume();
      };
  // In another turn of the event loop, when Node's parser has returned.
  if (connection.owed === undefined) setImmediate(() => connections.goOn(socket, connection));
  return true;
}
