import { FilerError } from '../errors.js';

const defaultMaxBytes = 64 * 1024 * 1024;

/** Memory that a download uses until its client has taken its bytes. */
export interface Lease {
  readonly bytes: number;
  /** Ends the download with this error, `DOWNLOADS_LIMITED`, to make room for others. */
  readonly cut: (error: FilerError) => void;
}

/** Bounds the memory of all downloads of a process. Beyond 64 MiB, it ends those that have waited longest for their clients. */
export class DownloadMemory {
  readonly #maxBytes: number;
  /** In the order in which they were taken, so that the first one has waited longest. */
  readonly #leases = new Set<Lease>();
  #bytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Whether half of the memory or more is in use. */
  get isHalfTaken(): boolean {
    return this.#bytes >= this.#maxBytes / 2;
  }

  /** Counts the lease as in use until it is given back, and makes room for it. */
  take(lease: Lease): void {
    this.#bytes += lease.bytes;
    if (this.#bytes > this.#maxBytes) this.#makeRoom();
    this.#leases.add(lease);
  }

  /** Gives a lease back; does nothing if it was given back before. */
  give(lease: Lease): void {
    if (this.#leases.delete(lease)) this.#bytes -= lease.bytes;
  }

  #makeRoom(): void {
    for (const lease of this.#leases) {
      if (this.#bytes <= this.#maxBytes) return;
      this.give(lease);
      lease.cut(
        new FilerError(
          'DOWNLOADS_LIMITED',
          'the downloads use all memory they may, and this one has waited longest for its client',
        ),
      );
    }
  }
}
