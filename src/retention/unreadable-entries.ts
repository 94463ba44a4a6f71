import type { UnreadableEntry } from '../storage/store.js';

/** So many paths are remembered. A sweep that finds more counts the others, and does not log them. */
const maxKnown = 1000;

/** Counts the entries that sweeps cannot read, and logs each once, not at every sweep. Its memory is bounded. */
export class UnreadableEntries {
  readonly #logger: { warn(line: object, message: string): void };
  /** Paths that were logged. */
  #known = new Set<string>();
  #found = new Set<string>();
  #counting = 0;
  #count = 0;

  constructor(logger: { warn(line: object, message: string): void }) {
    this.#logger = logger;
  }

  /** Entries that the last complete sweep could not read. */
  get count(): number {
    return this.#count;
  }

  /** Begins a sweep; the result takes each entry that the sweep cannot read. */
  begin(): (entry: UnreadableEntry) => void {
    this.#found = new Set();
    this.#counting = 0;
    return ({ path, reason }) => {
      if (this.#found.has(path)) return;
      this.#counting += 1;
      if (this.#found.size < maxKnown) this.#found.add(path);
      if (this.#known.has(path) || this.#known.size === maxKnown) return;
      this.#known.add(path);
      this.#logger.warn({ path, reason }, 'cannot be read and is passed over: repair or remove it');
    };
  }

  /** Ends a complete sweep; gives the number of entries that it could not read. */
  end(): number {
    this.#known = this.#found;
    this.#count = this.#counting;
    return this.#count;
  }
}
