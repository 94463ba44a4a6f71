/*
 * Who is waited for when a connection has moved no byte for stallTimeout: a client, which is cut sooner or later, or
 * prosody-filer itself, its disk or its bucket, for which the client is not to blame.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection, Connections, Owed } from './connections.js';
import { cutOff } from './exchange.js';

/**
 * Timeouts in a row in which the client of a download may take no byte. Kernels and proxies hold up to 8 MB for a client
 * and ask for more in large steps: a client at 4 KB/s needs half an hour for that much.
 */
const downloadPatience = 30;

/** Whether the client of a download has used up its patience. */
function isGivenUp(socket: Socket, connection: Connection): boolean {
  const takenBytes = socket.bytesWritten - socket.writableLength;
  connection.stalls = takenBytes === connection.takenBytes ? connection.stalls + 1 : 1;
  connection.takenBytes = takenBytes;
  return connection.stalls >= downloadPatience;
}

/** Whether the client has to go on sending: it has been asked for the body, and there is room for it. */
function isBodyAwaited({ request: { raw } }: Owed): boolean {
  return !raw.complete && raw.readableFlowing === true;
}

/** Why the client that is waited for has to go now, `undefined` while it may take its time or is not waited for. */
function reasonToCut(
  socket: Socket,
  connection: Connection,
  owed: Owed,
): 'DOWNLOAD_STALLED' | 'UPLOAD_STALLED' | undefined {
  if (socket.writableLength > 0) return isGivenUp(socket, connection) ? 'DOWNLOAD_STALLED' : undefined;
  return isBodyAwaited(owed) ? 'UPLOAD_STALLED' : undefined;
}

/** Cuts clients that stall, in place of Node, which cuts every connection that moves no byte. */
export function cutStalledClients(server: Server, connections: Connections, stallTimeoutMs: number): void {
  const reasons = {
    DOWNLOAD_STALLED: `the client took no byte for ${(downloadPatience * stallTimeoutMs) / 1000} s (${downloadPatience} times stallTimeout)`,
    UPLOAD_STALLED: `the client sent no byte for ${stallTimeoutMs / 1000} s (stallTimeout)`,
  };
  server.on('timeout', (socket: Socket) => {
    const connection = connections.find(socket);
    if (connection?.owed === undefined) {
      socket.destroy();
      return;
    }
    const code = reasonToCut(socket, connection, connection.owed);
    if (code === undefined) socket.setTimeout(stallTimeoutMs);
    else cutOff(connection.owed.request, code, reasons[code]);
  });
}
