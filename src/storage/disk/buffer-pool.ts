/*
 * The buffers of all downloads from the disk. Each has one at a time, whose bytes wait for the client.
 * - Up to 32 have 512 KiB, last in first out so that the one taken is still in the processor's cache: smaller or fresh ones
 *   halve the rate of large downloads. The next ones have 64 KiB. Clients that take less than 1 MiB/s gain nothing by it:
 *   they have 16 KiB, and so has everybody once half of the memory is taken.
 */
import { DownloadMemory, type Lease } from '../download-memory.js';

const largeBytes = 512 * 1024;
const mediumBytes = 64 * 1024;
const smallBytes = 16 * 1024;
const maxLarge = 32;

/** A buffer that is a download's until it is given back. */
export interface BufferLease extends Lease {
  readonly buffer: Buffer;
}

/** Hands out the buffers that downloads are read into. */
export class BufferPool {
  readonly #memory: DownloadMemory;
  readonly #free: Buffer[] = [];
  #largeCount = 0;

  constructor(memory = new DownloadMemory()) {
    this.#memory = memory;
  }

  /** Lends a buffer to a download whose client is fast or not. */
  take(isFast: boolean, cut: Lease['cut']): BufferLease {
    const buffer = this.#makeBuffer(isFast);
    const lease = { buffer, bytes: buffer.length, cut };
    this.#memory.take(lease);
    return lease;
  }

  /** Takes a buffer back; one that a broken socket may still be reading is not handed out again. */
  give(lease: BufferLease, mayReuse: boolean): void {
    const { buffer } = lease;
    this.#memory.give(lease);
    if (buffer.length !== largeBytes) return;
    this.#largeCount -= 1;
    if (mayReuse) this.#free.push(buffer);
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
