import { FilerError } from '../errors.js';

/** How many uploads may run at once. */
export class UploadLimit {
  readonly #max: number;
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many are running. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when none is running. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running === 0) resolve();
      else this.#onIdle = resolve;
    });
  }

  /** Runs an upload. Throws `UPLOADS_LIMITED` if as many as may are running. */
  async run<T>(upload: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#max) {
      throw new FilerError('UPLOADS_LIMITED', `${this.#max} uploads are running already (maxUploads)`);
    }
    this.#running += 1;
    try {
      return await upload();
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#onIdle?.();
    }
  }
}
