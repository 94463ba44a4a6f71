import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { eventually } from '../support/eventually.js';
import type { Dice } from './dice.js';
import { counted } from './oracle.js';
import type { Permits } from './permits.js';
import { type Requests, readMetrics } from './requests.js';
import type { Scene } from './scene.js';
import { limits, maxFileSize } from './settings.js';
import type { Slot } from './slot.js';
import { atOnce } from './transfer.js';

/** A process of the program needs no more, whatever it has done before; see load.test.ts. */
const maxPeakMiB = 300;

const goneSamples = 50;
const retrySamples = 5;
const sweepTries = 3;
const downloadsAtOnce = 6;
const logDelayMs = 200;

/** Looks at everything while no user acts and the store works. */
export class Audit {
  readonly #scene: Scene;
  readonly #requests: Requests;
  readonly #permits: Permits;
  readonly #dice: Dice;

  constructor(scene: Scene, requests: Requests, permits: Permits, dice: Dice) {
    this.#scene = scene;
    this.#requests = requests;
    this.#permits = permits;
    this.#dice = dice;
  }

  /** Throws at the first violation. */
  async run(): Promise<void> {
    const { history } = this.#scene;
    history.note('audit');
    // The second one has begun after the last user left.
    await this.#awaitSweeps(2);
    await this.#checkProcesses();
    const before = await this.#readIdleMetrics();
    this.#requests.answered.clear();
    await this.#downloadAll();
    await this.#checkStore();
    const uploads = await this.#findCounted();
    if (uploads !== undefined) {
      const added = await this.#probeUserQuota(uploads);
      await this.#fillStore([...uploads.values(), ...added]);
    }
    await this.#tryAgain();
    await this.#checkMetrics(before);
  }

  /** Waits for so many complete sweeps. */
  async #awaitSweeps(count: number): Promise<void> {
    const { log } = this.#scene;
    const before = log.sweeps.length;
    await eventually(() => log.sweeps.length >= before + count);
  }

  /** The program has let go of all files, and its memory stayed bounded. */
  async #checkProcesses(): Promise<void> {
    const { filer, site, history } = this.#scene;
    await eventually(async () => (await filer.processes()).every(({ files }) => files <= site.maxIdleFiles)).catch(
      async () => {
        throw history.violation(`open files: ${JSON.stringify(await filer.processes())}`);
      },
    );
    const processes = await filer.processes();
    const large = processes.find(({ peakMiB }) => peakMiB > maxPeakMiB);
    if (large !== undefined) throw history.violation(`${large.peakMiB} MiB of memory`);
    await eventually(async () => (await site.leftOvers()).length === 0).catch(async () => {
      throw history.violation(`left over: ${(await site.leftOvers()).join(', ')}`);
    });
  }

  async #readIdleMetrics(): Promise<Map<string, number>> {
    const { filer, history } = this.#scene;
    const metrics = await readMetrics(filer.metricsOrigin);
    for (const name of ['prosody_filer_uploads_in_progress', 'prosody_filer_store_unreadable_entries']) {
      if (metrics.get(name) !== 0) throw history.violation(`${name} is ${metrics.get(name)}`);
    }
    return metrics;
  }

  /** What must be there is served whole, and nothing else is. */
  async #downloadAll(): Promise<void> {
    const slots = this.#scene.oracle.latest();
    const gone = this.#dice.shuffled(slots.filter(({ isAlive }) => !isAlive)).slice(0, goneSamples);
    const left = [...slots.filter(({ isAlive }) => isAlive), ...gone];
    const downloadNext = async (): Promise<void> => {
      for (let slot = left.pop(); slot !== undefined; slot = left.pop()) {
        const status = await this.#requests.get(slot, 'GET');
        if (status === 404 && !slot.isKnown) slot.noteNeverStored();
      }
    };
    await Promise.all(Array.from({ length: downloadsAtOnce }, downloadNext));
  }

  /** The store has all uploads that must be there, and no others. */
  async #checkStore(): Promise<void> {
    const { site, oracle, history } = this.#scene;
    const uploads = await site.uploads();
    const now = Date.now();
    for (const [key, size] of uploads) {
      const slot = oracle.slots.get(key);
      // An upload that nobody heard of may have expired before anybody downloaded it, and wait for the next sweep.
      if (slot?.mayBeTaken !== true) throw history.violation('in the store, and nobody uploaded it', key);
      if (slot.facts.size !== size) throw history.violation(`${size} bytes are in the store`, key);
    }
    const missing = oracle.latest().find((slot) => slot.isSurelyThere(now) && !uploads.has(slot.facts.key));
    if (missing !== undefined) throw history.violation('not in the store', missing.facts.key);
  }

  /** The uploads in the store, which are those that the sweep has counted; `undefined` if some expired all the time. */
  async #findCounted(): Promise<ReadonlyMap<string, number> | undefined> {
    const { site, log, history } = this.#scene;
    for (let attempt = 0; attempt < sweepTries; attempt += 1) {
      const before = await site.uploads();
      await this.#awaitSweeps(2);
      const [found] = log.sweeps.slice(-1);
      const after = await site.uploads();
      if (!isDeepStrictEqual(before, after)) continue;
      const bytes = [...after.values()].reduce((sum, size) => sum + size, 0);
      if (found?.files !== after.size || found.bytes !== bytes) {
        throw history.violation(`swept ${JSON.stringify(found)}, in the store: ${after.size} files, ${bytes} bytes`);
      }
      history.note('sweep agrees');
      return after;
    }
    history.note('store never at rest');
    return undefined;
  }

  /** Slots to which nothing was stored can be used. */
  async #tryAgain(): Promise<void> {
    const isFree = (slot: Slot) => !slot.mayBeTaken && this.#permits.of(slot) !== undefined;
    const free = this.#scene.oracle.latest().filter(isFree);
    for (const slot of this.#dice.shuffled(free).slice(0, retrySamples)) await this.#put(slot);
  }

  /** An uploader can store exactly as much as userQuota leaves. Resolves to the sizes of what was stored. */
  async #probeUserQuota(uploads: ReadonlyMap<string, number>): Promise<number[]> {
    const { site, oracle, history } = this.#scene;
    const storedBy = new Map<string, number>();
    for (const [key, size] of uploads) {
      const uploader = oracle.slots.get(key)?.facts.uploader;
      if (uploader !== undefined) storedBy.set(uploader, (storedBy.get(uploader) ?? 0) + counted(size));
    }
    for (const [uploader, stored] of storedBy) {
      const left = limits.userQuota - stored;
      // The other reasons for 413 must not apply.
      if (left < 4096 || left >= maxFileSize || oracle.sentBy(uploader) > limits.dailyQuota / 2) continue;
      const tooMuch = await this.#put(this.#permits.giveTo(uploader, left + 1));
      const isSame = isDeepStrictEqual(await site.uploads(), uploads);
      if (isSame && tooMuch !== 413) throw history.violation(`${uploader} may exceed userQuota: ${tooMuch}`);
      const fitting = await this.#put(this.#permits.giveTo(uploader, left));
      if (fitting === 413) throw history.violation(`${uploader} may not use the ${left} bytes that userQuota leaves`);
      history.note('userQuota probed');
      return [...(tooMuch === 201 ? [left + 1] : []), ...(fitting === 201 ? [left] : [])];
    }
    return [];
  }

  /** The store takes exactly as much as maxStoreSize leaves, and evicts nothing for it. */
  async #fillStore(sizes: readonly number[]): Promise<void> {
    const { log, history } = this.#scene;
    const { evictions } = log;
    let left = limits.maxStoreSize - sizes.reduce((sum, size) => sum + counted(size), 0);
    while (left >= 4096) {
      // What would be left over must not be less than the least that counts.
      const size = left <= maxFileSize ? left : Math.min(maxFileSize, left - 4096);
      const status = await this.#put(this.#permits.giveTo(undefined, size));
      if (status !== 201) throw history.violation(`${status} for an upload that fits into maxStoreSize`);
      left -= size;
    }
    await wait(logDelayMs);
    if (log.evictions !== evictions) throw history.violation('something was evicted for uploads that fit');
    history.note('store filled');
  }

  /** The metrics count what was answered since. */
  async #checkMetrics(before: ReadonlyMap<string, number>): Promise<void> {
    const { filer, history } = this.#scene;
    const expected = [...this.#requests.answered].map(([name, count]) => {
      const [method, status] = name.split(' ');
      const metric = `prosody_filer_requests_total{method="${method}",status="${status}"}`;
      return [metric, (before.get(metric) ?? 0) + count] as const;
    });
    const differing = async () => {
      const metrics = await readMetrics(filer.metricsOrigin);
      return expected.filter(([name, count]) => metrics.get(name) !== count);
    };
    await eventually(async () => (await differing()).length === 0).catch(async () => {
      throw history.violation(`metrics differ from ${JSON.stringify(await differing())}`);
    });
  }

  #put(slot: Slot): Promise<number> {
    const permit = this.#permits.of(slot);
    return permit === undefined ? Promise.resolve(0) : this.#requests.put(slot, permit, atOnce);
  }
}
