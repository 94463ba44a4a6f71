/*
 * The hot loop of a GET. Up to 64 KiB are read whole and leave in one write together with the headers; more goes
 * through a pooled buffer that is taken just before each read and given back when the socket has taken its bytes.
 * The sink is ended only when everything is taken, since Node counts an ended answer as idle and may cut it at shutdown.
 * Not createReadStream, whose fresh 64 KiB chunks cost three quarters of the rate.
 */
import type { Writable } from 'node:stream';
import { FilerError } from '../../errors.js';
import type { ByteRange } from '../store.js';
import { writeChunk } from '../write-chunk.js';
import type { BufferPool } from './buffer-pool.js';
import { disk } from './disk-calls.js';

const wholeBytes = 64 * 1024;

/** A client counts as fast at 1 MiB/s since the download began, and in its first second. */
const fastBytesPerMs = 1024 * 1.024;
const firstMs = 1000;

/** Fills the view from the file; throws when the file is shorter than it was when it was opened. */
async function readFully(fd: number, view: Buffer, position: number): Promise<void> {
  let filled = 0;
  while (filled < view.length) {
    const { bytesRead } = await disk.read(fd, view, filled, view.length - filled, position + filled);
    if (bytesRead === 0) throw new FilerError('STORE_FAILED', 'the file became shorter while it was sent');
    filled += bytesRead;
  }
}

/**
 * Sends a part of an open file and ends the sink. Throws `BODY_INCOMPLETE` when the sink closes before it has taken
 * everything, `DOWNLOADS_LIMITED` when it has to make room for others, `STORE_FAILED` when the file is shorter than the
 * range; then the sink is not ended.
 */
export async function sendFile(
  fd: number,
  sink: Writable,
  { first, last }: ByteRange,
  pool: BufferPool,
): Promise<void> {
  const length = last - first + 1;
  if (length <= wholeBytes) {
    const whole = Buffer.allocUnsafe(length);
    await readFully(fd, whole, first);
    await writeChunk(sink, whole);
    sink.end();
    return;
  }
  const startedAt = performance.now();
  let cutError: FilerError | undefined;
  const cut = (error: FilerError) => {
    cutError = error;
    sink.destroy();
  };
  for (let position = first; position <= last; ) {
    const isFast = position - first >= (performance.now() - startedAt - firstMs) * fastBytesPerMs;
    const lease = pool.take(isFast, cut);
    let isTaken = false;
    try {
      const chunk = lease.buffer.subarray(0, Math.min(lease.buffer.length, last - position + 1));
      await readFully(fd, chunk, position);
      position += chunk.length;
      await writeChunk(sink, chunk);
      isTaken = true;
    } catch (error) {
      throw cutError ?? error;
    } finally {
      pool.give(lease, isTaken);
    }
  }
  sink.end();
}
