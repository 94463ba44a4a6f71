/*
 * The hot loop of a GET. The first 64 KiB of a file are read at once, kept as long as the file is open, and sent in one write
 * together with the headers. Other bytes go through a buffer of the pool, which is taken just before each read and given back
 * when the socket has taken the bytes.
 * The sink is ended only when it has taken everything: Node counts an ended answer as idle, and may cut it at shutdown.
 * createReadStream, which makes a new buffer of 64 KiB for each chunk, has a quarter of the rate.
 */
import type { Writable } from 'node:stream';
import { FilerError } from '../../errors.js';
import type { ByteRange } from '../store.js';
import { writeChunk } from '../write-chunk.js';
import type { BufferPool } from './buffer-pool.js';
import { disk } from './disk-calls.js';
import type { RecentFile } from './recent-files.js';

const beginningBytes = 64 * 1024;

/** A client is fast if it took 1 MiB/s since the download began. In the first second, every client is. */
const fastBytesPerMs = 1024 * 1.024;
const firstMs = 1000;

/** Fills the view from the file. Throws if the file has become shorter. */
async function readFully(fd: number, view: Buffer, position: number): Promise<void> {
  let filled = 0;
  while (filled < view.length) {
    const { bytesRead } = await disk.read(fd, view, filled, view.length - filled, position + filled);
    if (bytesRead === 0) throw new FilerError('STORE_FAILED', 'the file became shorter while it was being sent');
    filled += bytesRead;
  }
}

/** The first 64 KiB of a file of this size, or all of it. Throws if the file has become shorter. */
export async function readBeginning(fd: number, size: number): Promise<Buffer> {
  const beginning = Buffer.allocUnsafe(Math.min(size, beginningBytes));
  await readFully(fd, beginning, 0);
  return beginning;
}

/**
 * Sends a part of an open file and ends the sink. Throws `BODY_INCOMPLETE` when the sink closes before, `DOWNLOADS_LIMITED`
 * when it has to make room for other downloads, and `STORE_FAILED` when the file is shorter than the range; then the sink is
 * not ended.
 */
export async function sendFile(
  file: RecentFile,
  sink: Writable,
  { first, last }: ByteRange,
  pool: BufferPool,
): Promise<void> {
  const { fd, facts } = file;
  if (last < beginningBytes) {
    file.beginning ??= await readBeginning(fd, facts.size);
    await writeChunk(sink, file.beginning.subarray(first, last + 1));
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
