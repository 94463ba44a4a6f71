const bufferSize = 512 * 1024;
const overflowSize = 64 * 1024;
const maxOut = 32;

/**
 * Read buffers of 512 KiB, last in first out so that the one taken is still in the processor's cache. At most 32 are
 * out at once; whoever comes later gets 64 KiB of his own. Smaller or fresh ones halve the rate of large downloads.
 */
export class BufferPool {
  readonly #free: Buffer[] = [];
  #out = 0;

  /** A buffer that is the caller's until it is given back. */
  take(): Buffer {
    if (this.#out >= maxOut) return Buffer.allocUnsafeSlow(overflowSize);
    this.#out += 1;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(bufferSize);
  }

  /** Takes a buffer back; one that a broken socket may still be reading is not handed out again. */
  give(buffer: Buffer, mayReuse: boolean): void {
    if (buffer.length !== bufferSize) return;
    this.#out -= 1;
    if (mayReuse) this.#free.push(buffer);
  }
}
