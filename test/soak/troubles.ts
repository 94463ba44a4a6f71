/** Remembers when something was out of order, so that errors are expected. */
export class Troubles {
  #running = 0;
  #endedAt = Number.NEGATIVE_INFINITY;

  /** Begins a trouble; the result ends it. */
  begin(): () => void {
    this.#running += 1;
    return () => {
      this.#running -= 1;
      this.#endedAt = Date.now();
    };
  }

  /** Whether there was any trouble since this time, ms since the epoch. */
  since(time: number): boolean {
    return this.#running > 0 || this.#endedAt >= time;
  }
}
