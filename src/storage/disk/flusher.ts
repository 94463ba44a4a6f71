import { constants } from 'node:fs';
import { closeRead, disk } from './disk-calls.js';

async function flushPath(path: string): Promise<void> {
  const fd = await disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await disk.fsync(fd);
  } finally {
    closeRead(fd);
  }
}

/** Waits for all of them, then throws the first error: what was begun must be over before an upload is undone. */
export async function settleAll(promises: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}

/** Flushes files and folders, so that their bytes or entries survive a power failure. */
export class Flusher {
  readonly #running = new Map<string, Promise<void>>();
  /** Flushes that begin when the running one of the same path is over. */
  readonly #next = new Map<string, Promise<void>>();

  /** Flushes what was written to these paths until now; settles when no flush is running for it. */
  flush(paths: Iterable<string>): Promise<void> {
    return settleAll([...paths].map((each) => this.#flushOne(each)));
  }

  /** A flush that runs may have begun too early, so all that ask meanwhile share the next one. */
  #flushOne(path: string): Promise<void> {
    const next = this.#next.get(path);
    if (next !== undefined) return next;
    const running = this.#running.get(path);
    if (running === undefined) return this.#begin(path);
    const later = running.catch(() => undefined).then(() => this.#begin(path));
    this.#next.set(path, later);
    return later;
  }

  #begin(path: string): Promise<void> {
    this.#next.delete(path);
    const flush = flushPath(path).finally(() => this.#running.delete(path));
    this.#running.set(path, flush);
    return flush;
  }
}
