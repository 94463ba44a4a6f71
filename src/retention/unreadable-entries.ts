import type { UnreadableEntry } from '../storage/store.js';

/** How many paths are remembered. A sweep that finds more counts the others without logging them. */
const maxKnown = 1000;

/** Logs each entry that sweeps cannot read once, not at every sweep, and counts them. Its memory is bounded. */
export class UnreadableEntries {
  readonly #logger: { warn(line: object, message: string): void };
  /** Those that are in the log. */
  #known = new Set<string>();
  #found = new Set<string>();
  #counting = 0;
  #count = 0;

  constructor(logger: { warn(line: object, message: string): void }) {
    this.#logger = logger;
  }

  /** How many the last complete sweep found. */
  get count(): number {
    return this.#count;
  }

  /** Begins a sweep; returns the function that takes each entry which the sweep cannot read. */
  begin(): (entry: UnreadableEntry) => void {
    this.#found = new Set();
    this.#counting = 0;
    return ({ path, reason }) => {
      if (this.#found.has(path)) return;
      this.#counting += 1;
      if (this.#found.size < maxKnown) this.#found.add(path);
      if (this.#known.has(path) || this.#known.size === maxKnown) return;
      this.#known.add(path);
      this.#logger.warn({ path, reason }, 'cannot be read and is passed over: mend or remove it');
    };
  }

  /** Ends a sweep that is complete; how many it found. */
  end(): number {
    this.#known = this.#found;
    this.#count = this.#counting;
    return this.#count;
  }
}
