/*
 * node:cluster accepts each connection in the supervisor, hands it to a worker, and closes its own descriptor once the worker
 * has confirmed. If the worker dies before that, Node forgets the descriptor: nobody answers the client or closes the
 * connection, and the supervisor has one open file more for ever. Node hands over one connection at a time.
 */
import type { Worker } from 'node:cluster';

/** A connection as node:cluster hands it over. */
interface HandedOver {
  close(): void;
}

/** The part of node:cluster's messages that confirms one of the supervisor's. */
interface FromWorker {
  readonly ack?: number;
}

function isHandedOver(handle: unknown): handle is HandedOver {
  return typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function';
}

/** When the worker dies, closes the connection that it has not confirmed, so that its client can try again. */
export function closeUnconfirmed(worker: Worker): void {
  const { process: child } = worker;
  let unconfirmed: HandedOver | undefined;
  const send = child.send.bind(child) as (...args: unknown[]) => boolean;
  child.send = (...args: unknown[]) => {
    const [, handle] = args;
    if (isHandedOver(handle)) unconfirmed = handle;
    return send(...args);
  };
  // Before the listener of node:cluster, which hands over the next one at once.
  child.prependListener('internalMessage', ({ ack }: FromWorker) => {
    if (ack !== undefined) unconfirmed = undefined;
  });
  worker.once('exit', () => unconfirmed?.close());
}
