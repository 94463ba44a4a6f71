import { setTimeout as wait } from 'node:timers/promises';
import type { Meddling, S3Proxy } from '../support/s3-proxy.js';
import type { Dice } from './dice.js';
import type { History } from './history.js';
import { Troubles } from './troubles.js';

type Fault = () => Meddling | Promise<Meddling>;

function breakConnection(): never {
  throw new Error('the connection breaks');
}

/** What becomes of a request in each state of the service, by how likely it is. */
const states: Readonly<Record<string, { readonly share: number; readonly fault: (dice: Dice) => Fault }>> = {
  'is busy': { share: 0.7, fault: () => () => ({ refuse: { status: 503, code: 'SlowDown' } }) },
  'fails inside': { share: 0.3, fault: () => () => ({ refuse: { status: 500, code: 'InternalError' } }) },
  'loses answers': { share: 0.4, fault: () => () => ({ cutAfter: 0 }) },
  'breaks answers off': { share: 0.6, fault: (dice) => () => ({ cutAfter: dice.between(1, 100_000) }) },
  'breaks connections': { share: 1, fault: () => breakConnection },
  'is slow': { share: 0.5, fault: (dice) => async () => wait(dice.between(100, 1500), {}) },
};

/** How long and how often a service fails. */
export interface Flaps {
  /** How often in each way. */
  readonly times: number;
  /** The longest time for which it works or fails. */
  readonly longestMs: number;
}

/** An S3 service that fails again and again, in different ways. */
export class FlappingS3 {
  readonly troubles = new Troubles();
  readonly #proxy: S3Proxy;
  readonly #dice: Dice;
  readonly #history: History;

  constructor(proxy: S3Proxy, dice: Dice, history: History) {
    this.#proxy = proxy;
    this.#dice = dice;
    this.#history = history;
  }

  /** Fails now and then, until the signal at the latest. */
  async flap(signal: AbortSignal, { times, longestMs }: Flaps): Promise<void> {
    const pause = async (ms: number) => void (await wait(ms, undefined, { signal }).catch(() => undefined));
    for (let time = 0; time < times && !signal.aborted; time += 1) {
      for (const name of this.#dice.shuffled(Object.keys(states))) {
        await pause(this.#dice.between(longestMs / 4, longestMs));
        if (signal.aborted) break;
        await this.#fail(name, () => pause(this.#dice.between(longestMs / 4, longestMs)));
      }
    }
  }

  async #fail(name: string, pause: () => Promise<void>): Promise<void> {
    const { share = 0, fault } = states[name] ?? {};
    const act = fault?.(this.#dice);
    this.#history.note(`S3 ${name}`);
    const end = this.troubles.begin();
    this.#proxy.meddle = () => (this.#dice.chance(share) ? act?.() : undefined);
    await pause();
    this.#proxy.meddle = () => undefined;
    this.#proxy.requests.length = 0;
    this.#history.note('S3 works');
    end();
  }
}
