/*
 * A connection on which no byte moves waits either for the client or for prosody-filer and its store. Only in the first case
 * is the connection closed, and only if it has waited for the client all the time: the timer runs from the last byte, and
 * prosody-filer may have begun to wait for the client a moment ago. So a silent connection is looked at several times in
 * each stallTimeout. An upload may stand still for one timeout, a download for 30.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection, Connections, Owed } from './connections.js';
import { cutOff } from './exchange.js';

/**
 * A download ends after so many consecutive timeouts in which its client read no data. Kernels and proxies buffer up to
 * 8 MB for a client and read on in large steps. A client at 4 KB/s needs half an hour for that much.
 */
const downloadPatience = 30;

/** How often a silent connection is looked at in each stallTimeout. */
const looksPerTimeout = 4;

/** After how many ms without a byte a connection is looked at. */
export function silenceMs(stallTimeoutMs: number): number {
  return Math.ceil(stallTimeoutMs / looksPerTimeout);
}

/** Whether it is the client's turn to send: its body is being read and is not complete. */
function isBodyAwaited({ request: { raw } }: Owed): boolean {
  return !raw.complete && raw.readableFlowing === true;
}

/** What is awaited of the client, and for how many stallTimeouts; `undefined` if it is not the client's turn. */
function awaitedOf(socket: Socket, owed: Owed) {
  if (socket.writableLength > 0) return { code: 'DOWNLOAD_STALLED', patience: downloadPatience } as const;
  return isBodyAwaited(owed) ? ({ code: 'UPLOAD_STALLED', patience: 1 } as const) : undefined;
}

/** Counts how many looks in a row found that the client moved no byte. */
function countStalls(socket: Socket, connection: Connection): number {
  const movedBytes = socket.bytesRead + socket.bytesWritten - socket.writableLength;
  connection.stalls = movedBytes === connection.movedBytes ? connection.stalls + 1 : 1;
  connection.movedBytes = movedBytes;
  return connection.stalls;
}

/** Closes the connections of clients that stall. Node's default would close every connection on which no byte moves. */
export function cutStalledClients(server: Server, connections: Connections, stallTimeoutMs: number): void {
  const reasons = {
    DOWNLOAD_STALLED: `the client read no data for ${(downloadPatience * stallTimeoutMs) / 1000} s (${downloadPatience} times stallTimeout)`,
    UPLOAD_STALLED: `the client sent no data for ${stallTimeoutMs / 1000} s (stallTimeout)`,
  };
  const look = (socket: Socket) => {
    const connection = connections.find(socket);
    if (connection?.owed === undefined) {
      socket.destroy();
      return;
    }
    const awaited = awaitedOf(socket, connection.owed);
    if (awaited === undefined) connection.stalls = 0;
    else if (countStalls(socket, connection) >= awaited.patience * looksPerTimeout) {
      cutOff(connection.owed.request, awaited.code, reasons[awaited.code]);
      return;
    }
    socket.setTimeout(silenceMs(stallTimeoutMs));
  };
  server.on('timeout', (socket: Socket) => {
    const { bytesRead } = socket;
    // If this process was stopped or busy for that long, the client's bytes may be there, and are read only after the timers.
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) look(socket);
    });
  });
}
