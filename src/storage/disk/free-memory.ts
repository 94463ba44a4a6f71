import { MessageChannel } from 'node:worker_threads';

const { port1: closedPort, port2: nowhere } = new MessageChannel();
closedPort.close();

/**
 * Frees the memory of a buffer, which is empty then. Garbage collection would get to it only after tens of MiB of others, and
 * the next bytes would be received into memory that is in no cache of the processor. A buffer that shares its memory stays as
 * it is.
 */
export function freeMemory({ buffer, byteLength }: Buffer): void {
  // What is transferred to a port whose other end is closed is gone. ArrayBuffer.prototype.transfer needs Node.js 22.
  if (buffer.byteLength === byteLength) nowhere.postMessage(undefined, [buffer as ArrayBuffer]);
}
