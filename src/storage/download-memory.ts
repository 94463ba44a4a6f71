import { FilerError } from '../errors.js';

const defaultMaxBytes = 64 * 1024 * 1024;

/** Bytes that a download holds until its client has taken them. */
export interface Lease {
  readonly bytes: number;
  /** Ends the download with this error, `DOWNLOADS_LIMITED`, to make room for others. */
  readonly cut: (error: FilerError) => void;
}

/** Bounds what all downloads of a process hold: beyond 64 MiB, those end that have waited longest for their clients. */
export class DownloadMemory {
  readonly #maxBytes: number;
  /** In the order in which they were taken, so the first one has waited longest. */
  readonly #leases = new Set<Lease>();
  #bytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Whether half of the memory or more is taken. */
  get isHalfTaken(): boolean {
    return this.#bytes >= this.#maxBytes / 2;
  }

  /** Counts the bytes as held until the lease is given back, and makes room for them. */
  take(lease: Lease): void {
    this.#bytes += lease.bytes;
    if (this.#bytes > this.#maxBytes) this.#makeRoom();
    this.#leases.add(lease);
  }

  /** Takes a lease back; the second time does nothing. */
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
          'too many downloads wait for their clients, and this one has waited longest',
        ),
      );
    }
  }
}
