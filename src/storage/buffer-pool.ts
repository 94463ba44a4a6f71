/*
 * The memory of all downloads from the disk. Each has one buffer at a time, whose bytes wait for the client.
 * - Up to 32 have 512 KiB, last in first out so that the one taken is still in the processor's cache: smaller or fresh ones
 *   halve the rate of large downloads. The next ones have 64 KiB. Clients that take less than 1 MiB/s gain nothing by it:
 *   they have 16 KiB, and so has everybody once half of the memory is out.
 * - 64 MiB are out in all. Beyond that the download goes that has waited longest for its client.
 */
const largeBytes = 512 * 1024;
const mediumBytes = 64 * 1024;
const smallBytes = 16 * 1024;
const maxLarge = 32;
const defaultMaxBytes = 64 * 1024 * 1024;

/** A buffer that is a download's until it is given back. */
export interface Lease {
  readonly buffer: Buffer;
  /** Ends the download, to make room for others. */
  readonly cut: () => void;
}

/** Hands out the buffers that downloads are read into. */
export class BufferPool {
  readonly #maxBytes: number;
  readonly #free: Buffer[] = [];
  /** In the order in which they were taken, so the first one has waited longest. */
  readonly #leases = new Set<Lease>();
  #largeCount = 0;
  #bytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Lends a buffer to a download whose client is fast or not. */
  take(isFast: boolean, cut: () => void): Lease {
    const lease = { buffer: this.#makeBuffer(isFast), cut };
    this.#bytes += lease.buffer.length;
    if (this.#bytes > this.#maxBytes) this.#cutLongestWaiting();
    this.#leases.add(lease);
    return lease;
  }

  /** Takes a buffer back; one that a broken socket may still be reading is not handed out again. */
  give(lease: Lease, mayReuse: boolean): void {
    const { buffer } = lease;
    this.#leases.delete(lease);
    this.#bytes -= buffer.length;
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
    return Buffer.allocUnsafeSlow(this.#bytes < this.#maxBytes / 2 ? mediumBytes : smallBytes);
  }

  #cutLongestWaiting(): void {
    const [lease] = this.#leases;
    if (lease === undefined) return;
    // It gives its buffer back a little later: until then, others may have to be cut too.
    this.#leases.delete(lease);
    lease.cut();
  }
}
