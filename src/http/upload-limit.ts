import { FilerError } from '../errors.js';

/** Each uploader's and each client's part of the places, once half of them are taken. */
const share = 1 / 10;

/** Limits how many uploads run at once: in all, and of each sender when half of the places are taken. */
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

  /** How many are running. */
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
   * Runs an upload of these senders, e.g. `romeo@example.org` and `2001:db8::/64`. Throws `UPLOADS_LIMITED` if all places
   * are taken, or if half are taken and one of the senders has its share.
   */
  async run<T>(senders: readonly string[], upload: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) {
      throw new FilerError('UPLOADS_LIMITED', `${this.#max} uploads are running already (maxUploads)`);
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
    const limit = `while half of maxUploads is in use, each sender may have ${this.#maxShare}, a tenth`;
    throw new FilerError('UPLOADS_LIMITED', `${sender} has ${running} uploads running; ${limit}`);
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
