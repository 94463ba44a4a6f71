import { createHash } from 'node:crypto';
import { randomNumbers } from '../support/uploading.js';

/** Decisions that are the same for the same seed and name, whatever other dice decide meanwhile. */
export class Dice {
  readonly #next: () => number;

  constructor(seed: number, name: string) {
    this.#next = randomNumbers(createHash('sha256').update(`${seed} ${name}`).digest().readInt32LE());
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  /** A whole number; both bounds are included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  /** One element. */
  pick<T>(from: readonly [T, ...T[]]): T {
    return this.pickAny(from) ?? from[0];
  }

  /** One element, `undefined` if there is none. */
  pickAny<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.#next() * from.length)];
  }

  /** The same elements in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const keyed = list.map((element) => ({ element, at: this.#next() }));
    return keyed.sort((left, right) => left.at - right.at).map(({ element }) => element);
  }
}
