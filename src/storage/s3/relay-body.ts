/*
 * A body on its way to a store in the network. When 256 KiB of it wait here, the body is paused. The store gets exactly the
 * announced bytes, or its request breaks off before the last byte, so that it keeps nothing.
 */
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { FilerError } from '../../errors.js';

const maxWaitingBytes = 256 * 1024;
const handedBytes = 16 * 1024;

/** How long the store may take no byte, or not answer after the last byte. */
const patienceMs = 20_000;

/** The first bytes of a body that is not empty; they stay in it. */
export async function beginningOf(body: Readable, signal: AbortSignal): Promise<Buffer> {
  await once(body, 'readable', { signal });
  const beginning: Buffer = body.read();
  body.unshift(beginning);
  return beginning;
}

/**
 * Has `send` send `size` bytes of the body. Aborts it and throws `BODY_INCOMPLETE` when the body is longer, or ends or breaks
 * before, the body's own FilerError, or `STORE_BUSY` when the store takes too long. Otherwise throws what `send` throws. It
 * does not read what follows the body.
 */
export async function relayBody(
  body: Readable,
  size: number,
  send: (relayed: Readable, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const relayed = new PassThrough({ readableHighWaterMark: handedBytes, writableHighWaterMark: maxWaitingBytes });
  const aborter = new AbortController();
  let received = 0;
  let failure: FilerError | undefined;
  let patience: NodeJS.Timeout | undefined;

  const fail = (error: FilerError) => {
    failure ??= error;
    aborter.abort();
    relayed.destroy();
  };
  const waitingBytes = () => relayed.writableLength + relayed.readableLength;
  const beginWait = (what: string) => {
    clearTimeout(patience);
    const before = waitingBytes();
    patience = setTimeout(() => {
      // The store is slow, but it takes bytes.
      if (waitingBytes() < before) beginWait(what);
      else fail(new FilerError('STORE_BUSY', `the store ${what} for ${patienceMs / 1000} s`));
    }, patienceMs).unref();
  };
  const onData = (chunk: Buffer) => {
    received += chunk.length;
    if (received > size) return fail(new FilerError('BODY_INCOMPLETE', 'the body is longer than its announced length'));
    const isFull = !relayed.write(chunk);
    if (isFull && received < size) body.pause();
    if (received === size) relayed.end();
    // From now on the store is slow, and not the client.
    if (isFull || received === size) beginWait('took no byte');
  };
  const onOver = (error?: unknown) => {
    if (received >= size) return;
    const incomplete = new FilerError('BODY_INCOMPLETE', `the body ended after ${received} of ${size} bytes`);
    fail(error instanceof FilerError ? error : incomplete);
  };

  relayed.on('drain', () => {
    clearTimeout(patience);
    body.resume();
  });
  relayed.on('end', () => beginWait('did not answer'));
  relayed.on('error', () => undefined);
  // The listener for errors stays: the connection may still break, and an error without a listener ends the process.
  body.on('data', onData).on('end', onOver).on('close', onOver).on('error', onOver);
  if (size === 0) relayed.end();
  else if (body.destroyed) onOver();
  try {
    await send(relayed, aborter.signal);
  } catch (error) {
    throw failure ?? error;
  } finally {
    clearTimeout(patience);
    body.off('data', onData).off('end', onOver).off('close', onOver);
  }
  if (failure !== undefined) throw failure;
}
