/*
 * The figures of the last 24 hours, in memory: one bucket for each 5 minutes, 288 at most. Each bucket has what was counted in
 * its time, and how full the store was at its end. The names of counts come from the labels of metrics, which are bounded.
 */
import { dayMs } from '../../units.js';
import type { Counted, Figures } from './figures.js';

/** The time of a bucket. */
export const bucketMs = 5 * 60_000;

/** The number of buckets in 24 hours. */
export const bucketCount = dayMs / bucketMs;

/** The figures of 5 minutes. */
export interface Bucket {
  readonly counts: Map<Counted, number>;
  usedBytes: number | undefined;
  freeBytes: number | undefined;
}

/** Keeps the figures of the last 24 hours. */
export class History {
  readonly #now: () => number;
  /** By the number of the bucket since the clock's zero, in the order of time. */
  readonly #buckets = new Map<number, Bucket>();
  #last: ReadonlyMap<Counted, number> = new Map();

  /** `now` is in ms on the monotonic clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Adds the figures of now. The counts are those since the start of the process. */
  record({ counts, usedBytes, freeBytes }: Figures): void {
    const bucket = this.#currentBucket();
    for (const [name, count] of counts) {
      const increase = count - (this.#last.get(name) ?? 0);
      // When a worker ends, its part of the count is gone.
      if (increase > 0) bucket.counts.set(name, (bucket.counts.get(name) ?? 0) + increase);
    }
    this.#last = counts;
    Object.assign(bucket, { usedBytes, freeBytes });
  }

  /** The sums of what was counted in the last so many ms, rounded down to whole buckets and the one that is running. */
  countsOfLast(ms: number): Map<Counted, number> {
    const sums = new Map<Counted, number>();
    for (const bucket of this.buckets().slice(-ms / bucketMs)) {
      for (const [name, count] of bucket?.counts ?? []) sums.set(name, (sums.get(name) ?? 0) + count);
    }
    return sums;
  }

  /** The buckets of the last 24 hours, the oldest first; `undefined` where there are no figures. */
  buckets(): (Bucket | undefined)[] {
    const first = this.#currentNumber() - bucketCount + 1;
    return Array.from({ length: bucketCount }, (_, index) => this.#buckets.get(first + index));
  }

  #currentNumber(): number {
    return Math.floor(this.#now() / bucketMs);
  }

  #currentBucket(): Bucket {
    const current = this.#currentNumber();
    const found = this.#buckets.get(current);
    if (found !== undefined) return found;
    for (const number of this.#buckets.keys()) {
      if (number <= current - bucketCount) this.#buckets.delete(number);
    }
    const bucket = { counts: new Map(), usedBytes: undefined, freeBytes: undefined };
    this.#buckets.set(current, bucket);
    return bucket;
  }
}
