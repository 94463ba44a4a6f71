import { FilerError } from '../errors.js';

/** The share of maxUploads that one sender may use once half of maxUploads is in use. */
const share = 1 / 10;

/** Limits how many uploads run at once: in total, and for each sender once half of maxUploads is in use. */
export class UploadLimit {
  readonly #max: number;
  readonly #maxShare: number;
  readonly #runningOf = new Map<string, number>();
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
    this.#maxShare = Math.max(1, Math.floor(max * share));
  }

  /** How many uploads are running. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when no upload is running. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  /**
   * Runs an upload that counts for all of these senders, e.g. `romeo@example.org` and `2001:db8::/64`. Throws
   * `UPLOADS_LIMITED` if maxUploads is reached, or if half of it is in use and a sender has reached its share.
   */
  async run<T>(senders: readonly string[], upload: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) {
      throw new FilerError('UPLOADS_LIMITED', `${this.#max} uploads are running already, as many as maxUploads allows`);
    }
    if (this.#running * 2 >= this.#max) for (const sender of senders) this.#requireShare(sender);
    this.#count(senders, 1);
    try {
      return await upload();
    } finally {
      this.#count(senders, -1);
      if (this.#running === 0) this.#onIdle?.();
    }
  }

  #requireShare(sender: string): void {
    const running = this.#runningOf.get(sender) ?? 0;
    if (running < this.#maxShare) return;
    const limit = `while half of maxUploads is in use, each sender may run at most ${this.#maxShare} (a tenth)`;
    throw new FilerError('UPLOADS_LIMITED', `${sender} already runs ${running} uploads; ${limit}`);
  }

  #count(senders: readonly string[], change: 1 | -1): void {
    this.#running += change;
    for (const sender of senders) {
      const running = (this.#runningOf.get(sender) ?? 0) + change;
      if (running === 0) this.#runningOf.delete(sender);
      else this.#runningOf.set(sender, running);
    }
  }
}
