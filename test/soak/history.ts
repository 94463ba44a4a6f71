/** So many events are kept, and so many of them are printed. */
const maxKept = 20_000;
const maxPrinted = 60;

/** What happened in a soak: counts of all events, and the last ones for the report of a violation. */
export class History {
  readonly seed: number;
  readonly #startedAt = Date.now();
  readonly #counts = new Map<string, number>();
  #events: string[] = [];

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Counts an event, and remembers it with its details. */
  note(kind: string, details = ''): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    this.#events.push(`${((Date.now() - this.#startedAt) / 1000).toFixed(3)} ${kind} ${details}`);
    if (this.#events.length > 2 * maxKept) this.#events = this.#events.slice(-maxKept);
  }

  /** All counts, as one line. */
  summary(): string {
    const sorted = [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1));
    return sorted.map(([kind, count]) => `${kind}: ${count}`).join(', ');
  }

  /** The error for a violation, with the seed, the last events, and those of one key. */
  violation(claim: string, key?: string): Error {
    const ofKey = key === undefined ? [] : this.#events.filter((event) => event.includes(key)).slice(-maxPrinted);
    return new Error(
      [
        `${claim}; repeat with SOAK_SEED=${this.seed}`,
        ...(key === undefined ? [] : [`events of ${key}:`, ...ofKey]),
        'last events:',
        ...this.#events.slice(-maxPrinted),
      ].join('\n'),
    );
  }
}
