import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { collectText, type ReceivedText } from './received-text.js';

/** A connection on which a test writes bytes as it likes, and what it receives, as latin1. */
export interface RawConnection extends ReceivedText {
  readonly socket: Socket;
}

/** Connects to an `http://host:port` origin; the test's end closes the connection. */
export async function connectTo(t: TestContext, origin: string): Promise<RawConnection> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  t.after(() => socket.destroy());
  const text = collectText(socket, 'latin1');
  await once(socket, 'connect');
  return { socket, ...text };
}
