import { EventEmitter, once } from 'node:events';

/** Lets users act while it is open. */
export class Gate {
  readonly #events = new EventEmitter().setMaxListeners(0);
  #isOpen = true;
  #inside = 0;

  /** Acts as soon as the gate is open. */
  async pass(act: () => Promise<void>): Promise<void> {
    while (!this.#isOpen) await once(this.#events, 'open');
    this.#inside += 1;
    try {
      await act();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#events.emit('empty');
    }
  }

  /** Closes the gate; resolves when nobody is inside. */
  async close(): Promise<void> {
    this.#isOpen = false;
    if (this.#inside > 0) await once(this.#events, 'empty');
  }

  /** Opens the gate again. */
  open(): void {
    this.#isOpen = true;
    this.#events.emit('open');
  }
}
