import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { unclearRequest } from '../refusal-sentence.js';
import type { Connections } from './connections.js';
import { closeGently } from './gentle-close.js';
import type { FilerLogger } from './settings.js';

const statusOf: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

const body = `${unclearRequest}\n`;

/**
 * Answers a request that the HTTP parser rejects, for example one with a control character in its target. An earlier answer on the
 * same connection is completed first. If the error is in the body of a request, the connection is closed instead.
 */
export function answerClientErrors(
  headers: Readonly<Record<string, string>>,
  connections: Connections,
  logger: FilerLogger,
): (error: Error & { code?: string }, socket: Socket) => void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (error, socket) => {
    const status = statusOf[error.code ?? ''] ?? 400;
    const client = socket.remoteAddress;
    const answer = () => {
      logger.info({ client, status }, `answered ${status} to a malformed HTTP request: ${error.message}`);
      const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}`;
      socket.write(
        `${head}content-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
      );
      closeGently(socket);
    };
    const connection = connections.find(socket);
    if (error.code === 'ECONNRESET' || !socket.writable || connection?.owed?.request.raw.complete === false) {
      socket.destroy();
    } else if (connection?.owed === undefined) {
      answer();
    } else {
      socket.pause();
      connection.next = answer;
    }
  };
}
