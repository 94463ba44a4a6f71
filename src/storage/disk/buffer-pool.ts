/*
 * The buffers of downloads from the disk. Each download has one buffer at a time, whose bytes wait for the client:
 * - 512 KiB for up to 32 downloads. Smaller or fresh buffers halve the rate of large downloads. The buffer that was given
 *   back last is lent first, since it is still in the processor's cache. Those that nobody needs are freed after 10 s
 *   without such a download.
 * - 64 KiB for the next ones, and 16 KiB once half of the memory is in use.
 * - 16 KiB for clients that take less than 1 MiB/s: a larger buffer does not make them faster.
 */
import { DownloadMemory, type Lease } from '../download-memory.js';
import { freeMemory } from './free-memory.js';

const largeBytes = 512 * 1024;
const mediumBytes = 64 * 1024;
const smallBytes = 16 * 1024;
const maxLarge = 32;
const unusedMs = 10_000;

/** A buffer that is lent to a download until it is given back. */
export interface BufferLease extends Lease {
  readonly buffer: Buffer;
}

/** Lends buffers to downloads. */
export class BufferPool {
  readonly #memory: DownloadMemory;
  readonly #free: Buffer[] = [];
  #freeing: NodeJS.Timeout | undefined;
  #largeCount = 0;

  constructor(memory = new DownloadMemory()) {
    this.#memory = memory;
  }

  /** Lends a buffer for a fast or a slow client; `cut` ends the download to make room for others. */
  take(isFast: boolean, cut: Lease['cut']): BufferLease {
    const buffer = this.#makeBuffer(isFast);
    const lease = { buffer, bytes: buffer.length, cut };
    this.#memory.take(lease);
    return lease;
  }

  /** Takes a buffer back. It is lent again only if `mayReuse`: a broken socket may still read from it. */
  give(lease: BufferLease, mayReuse: boolean): void {
    const { buffer } = lease;
    this.#memory.give(lease);
    if (buffer.length !== largeBytes) return;
    this.#largeCount -= 1;
    if (mayReuse) this.#free.push(buffer);
    clearTimeout(this.#freeing);
    this.#freeing = setTimeout(() => this.#free.splice(0).forEach(freeMemory), unusedMs).unref();
  }

  #makeBuffer(isFast: boolean): Buffer {
    if (!isFast) return Buffer.allocUnsafeSlow(smallBytes);
    if (this.#largeCount < maxLarge) {
      this.#largeCount += 1;
      return this.#free.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
    }
    return Buffer.allocUnsafeSlow(this.#memory.isHalfTaken ? smallBytes : mediumBytes);
  }
}
