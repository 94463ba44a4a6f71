import type { Registry } from 'prom-client';
import { type Config, describeStorage } from '../config/config.js';
import { messageOf } from '../errors.js';
import { type Figures, figuresOf } from '../http/page/figures.js';
import { History } from '../http/page/history.js';
import type { Overview } from '../http/page/overview.js';
import type { StoreLimits } from '../retention/store-limits.js';
import type { RegularSweeps } from '../retention/sweep-regularly.js';
import type { Sweeper } from '../retention/sweeper.js';
import type { ComponentConnection } from '../slots/component.js';

/** How often figures are added to those of the last 24 hours. */
const intervalMs = 60_000;

const maxUploaders = 10;

/** The parts that the page reports on. The last two begin to run after its address is open. */
export interface ObservedParts {
  readonly config: Config;
  readonly limits: StoreLimits;
  readonly sweeper: Sweeper;
  sweeps?: RegularSweeps;
  component?: { readonly connection: ComponentConnection } | undefined;
}

/** Keeps figures of the last 24 hours, and reads what the page shows. */
export class Overviews {
  readonly #readRegistry: () => Promise<Registry>;
  readonly #parts: ObservedParts;
  readonly #history = new History(() => performance.now());
  readonly #timer: NodeJS.Timeout;
  #figures: Figures | undefined;
  #failure: string | undefined;
  #reading: Promise<void> | undefined;

  /** Adds figures each minute from now on, until it is closed. */
  constructor(readRegistry: () => Promise<Registry>, parts: ObservedParts) {
    this.#readRegistry = readRegistry;
    this.#parts = parts;
    this.#timer = setInterval(() => this.#refresh(), intervalMs).unref();
  }

  /** Ends the regular figures. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** What the page shows now. If a worker does not report its figures, they are the last ones, and it says so. */
  async read(): Promise<Overview> {
    await this.#refresh();
    const { config, limits, sweeper, sweeps, component } = this.#parts;
    const now = Date.now();
    return {
      now,
      startedAt: now - process.uptime() * 1000,
      storage: describeStorage(config),
      limits: config.limits,
      figures: this.#figures,
      figuresFailure: this.#failure,
      history: this.#history,
      component: component && config.component && { jid: config.component.jid, ...component.connection },
      lastSweep: sweeper.last,
      nextSweepAt: sweeps?.nextAt,
      sweepFailure: sweeps?.failure,
      uploaders: limits.largestUploaders(maxUploaders),
    };
  }

  /** Reads the figures, or waits for the reading that is running, so that they are added in their order. */
  #refresh(): Promise<void> {
    this.#reading ??= this.#record().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #record(): Promise<void> {
    try {
      const registry = await this.#readRegistry();
      this.#figures = figuresOf(await registry.getMetricsAsJSON());
      this.#history.record(this.#figures);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = messageOf(error);
    }
  }
}
