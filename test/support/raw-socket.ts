import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** A connection on which a test writes bytes as it likes. */
export interface RawConnection {
  readonly socket: Socket;
  /** Everything received so far, as latin1. */
  received(): string;
  /** Resolves once what was received matches; rejects if the connection closes before. */
  waitFor(pattern: RegExp): Promise<string>;
  /** Resolves to everything received when the other side has closed. */
  untilClosed(): Promise<string>;
}

/** Connects to an `http://host:port` origin; the test's end closes the connection. */
export async function connectTo(t: TestContext, origin: string): Promise<RawConnection> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  t.after(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return {
    socket,
    received: () => text,
    async waitFor(pattern) {
      while (!pattern.test(text)) {
        if (socket.readableEnded || socket.destroyed) throw new Error(`closed after ${JSON.stringify(text)}`);
        await Promise.race([once(socket, 'data'), once(socket, 'close'), once(socket, 'end')]);
      }
      return text;
    },
    async untilClosed() {
      if (!socket.readableEnded && !socket.destroyed) await Promise.race([once(socket, 'end'), once(socket, 'close')]);
      return text;
    },
  };
}
