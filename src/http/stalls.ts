/*
 * A connection on which no byte moved for stallTimeout waits either for the client or for prosody-filer and its store.
 * Only in the first case is the connection closed: after one timeout for an upload, after 30 for a download.
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

/** Counts a timeout of a download, and tells whether it was one too many. */
function isGivenUp(socket: Socket, connection: Connection): boolean {
  const takenBytes = socket.bytesWritten - socket.writableLength;
  connection.stalls = takenBytes === connection.takenBytes ? connection.stalls + 1 : 1;
  connection.takenBytes = takenBytes;
  return connection.stalls >= downloadPatience;
}

/** Whether it is the client's turn to send: its body is being read and is not complete. */
function isBodyAwaited({ request: { raw } }: Owed): boolean {
  return !raw.complete && raw.readableFlowing === true;
}

/** Why the connection must be closed now, `undefined` if the client still has time or we do not wait for it. */
function reasonToCut(
  socket: Socket,
  connection: Connection,
  owed: Owed,
): 'DOWNLOAD_STALLED' | 'UPLOAD_STALLED' | undefined {
  if (socket.writableLength > 0) return isGivenUp(socket, connection) ? 'DOWNLOAD_STALLED' : undefined;
  return isBodyAwaited(owed) ? 'UPLOAD_STALLED' : undefined;
}

/** Closes the connections of clients that stall. Node's default would close every connection on which no byte moves. */
export function cutStalledClients(server: Server, connections: Connections, stallTimeoutMs: number): void {
  const reasons = {
    DOWNLOAD_STALLED: `the client read no data for ${(downloadPatience * stallTimeoutMs) / 1000} s (${downloadPatience} times stallTimeout)`,
    UPLOAD_STALLED: `the client sent no data for ${stallTimeoutMs / 1000} s (stallTimeout)`,
  };
  const giveUpOn = (socket: Socket) => {
    const connection = connections.find(socket);
    if (connection?.owed === undefined) {
      socket.destroy();
      return;
    }
    const code = reasonToCut(socket, connection, connection.owed);
    if (code === undefined) socket.setTimeout(stallTimeoutMs);
    else cutOff(connection.owed.request, code, reasons[code]);
  };
  server.on('timeout', (socket: Socket) => {
    const { bytesRead } = socket;
    // If this process was stopped or busy for that long, the client's bytes may be there, and are read only after the timers.
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) giveUpOn(socket);
    });
  });
}
