import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { send } from '../support/http-client.js';
import type { Dice } from './dice.js';
import type { Permits } from './permits.js';
import type { Requests } from './requests.js';
import type { Scene } from './scene.js';
import { limits, maxFileSize } from './settings.js';
import type { Slot } from './slot.js';
import { atOnce } from './transfer.js';

/** How many of the latest slots a user looks at. */
const recent = 400;

/** Somebody who uploads, downloads, deletes and misbehaves at random. */
export class User {
  readonly #scene: Scene;
  readonly #requests: Requests;
  readonly #permits: Permits;
  readonly #dice: Dice;
  /** What a user does, by how often. */
  readonly #acts: readonly (() => Promise<unknown>)[];

  constructor(scene: Scene, requests: Requests, permits: Permits, dice: Dice) {
    this.#scene = scene;
    this.#requests = requests;
    this.#permits = permits;
    this.#dice = dice;
    const often = (count: number, act: () => Promise<unknown>) => Array.from({ length: count }, () => act);
    this.#acts = [
      ...often(30, () => this.#upload()),
      ...often(6, () => this.#uploadSlowly()),
      ...often(8, () => this.#leaveUpload()),
      ...often(4, () => this.#race()),
      ...often(25, () => this.#download('GET')),
      ...often(5, () => this.#download('HEAD')),
      ...often(4, () => this.#downloadPart()),
      ...often(3, () => this.#leaveDownload()),
      ...often(6, () => this.#delete(1)),
      ...often(2, () => this.#delete(2)),
      ...often(7, () => this.#uploadAgain()),
      ...often(2, () => this.#forge()),
      ...often(1, () => this.#uploadTooMuch()),
    ];
  }

  /** Does one thing. */
  async act(): Promise<void> {
    await this.#dice.pickAny(this.#acts)?.();
  }

  #recentSlot(): Slot | undefined {
    return this.#dice.pickAny(this.#scene.oracle.latest(recent));
  }

  async #put(slot: Slot, manner = atOnce): Promise<void> {
    const permit = this.#permits.of(slot);
    if (permit !== undefined) await this.#requests.put(slot, permit, manner);
  }

  async #upload(): Promise<void> {
    const slot = await this.#permits.give();
    await this.#put(slot);
    if (this.#dice.chance(0.3)) await this.#requests.get(slot, 'GET');
  }

  async #uploadSlowly(): Promise<void> {
    const slot = await this.#permits.give(this.#dice.between(10_000, 300_000));
    const manner = { pieces: this.#dice.between(2, 6), pauseMs: this.#dice.between(20, 400) };
    await this.#put(slot, manner);
  }

  /** Closes the connection before the answer, and perhaps before all bytes are sent. */
  async #leaveUpload(): Promise<void> {
    const slot = await this.#permits.give(this.#dice.between(2, 300_000));
    const pieces = this.#dice.between(2, 5);
    const leavesAfter = this.#dice.between(1, pieces);
    await this.#put(slot, { pieces, pauseMs: this.#dice.between(0, 100), leavesAfter });
    if (this.#dice.chance(0.5)) await this.#put(slot);
  }

  /** Several uploads to one slot, with different bytes. */
  async #race(): Promise<void> {
    const slot = await this.#permits.give();
    const racers = Array.from({ length: this.#dice.between(2, 4) }, () => this.#put(slot));
    await Promise.all(racers);
  }

  async #download(method: 'GET' | 'HEAD'): Promise<void> {
    const slot = this.#recentSlot();
    if (slot !== undefined) await this.#requests.get(slot, method);
  }

  async #downloadPart(): Promise<void> {
    const slot = this.#recentSlot();
    if (slot === undefined || slot.facts.size < 2) return;
    const first = this.#dice.between(0, slot.facts.size - 1);
    await this.#requests.getPart(slot, first, this.#dice.between(first, slot.facts.size - 1));
  }

  /** Asks for a download and goes away. */
  async #leaveDownload(): Promise<void> {
    const slot = this.#recentSlot();
    if (slot === undefined) return;
    const { hostname, port } = new URL(this.#scene.filer.origin);
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.write(`GET /upload/${slot.facts.key} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await wait(this.#dice.between(0, 50));
    socket.destroy();
  }

  async #delete(times: number): Promise<void> {
    const slot = this.#recentSlot();
    if (slot !== undefined) await Promise.all(Array.from({ length: times }, () => this.#requests.delete(slot)));
  }

  async #uploadAgain(): Promise<void> {
    const slot = this.#recentSlot();
    if (slot === undefined) return;
    await this.#put(slot);
    await this.#requests.get(slot, 'GET');
  }

  /** Uploads with the token of another slot. */
  async #forge(): Promise<void> {
    const { oracle, filer, history } = this.#scene;
    const slot = await this.#permits.give();
    const permit = this.#permits.of(slot);
    if (permit === undefined) return;
    const key = `forged/${slot.facts.key}`;
    const forged = oracle.add({ ...slot.facts, key });
    const from = Date.now();
    const rawTarget = permit.rawTarget.replace(slot.facts.key, key);
    const options = { method: 'PUT', headers: permit.headers, body: Buffer.alloc(slot.facts.size) };
    const answer = await send({ origin: filer.origin, rawTarget }, options).catch(() => undefined);
    const status = answer?.status ?? 0;
    if (answer === undefined ? !filer.troubles.since(from) : status !== 403) {
      throw history.violation(`a forged token was answered with ${status}`, key);
    }
    await this.#requests.get(forged, 'GET');
  }

  /** Uploads more than the largest file, or more than fits. */
  async #uploadTooMuch(): Promise<void> {
    const size = this.#dice.pick([maxFileSize, maxFileSize + 1, limits.userQuota + 1]);
    await this.#put(await this.#permits.give(size));
  }
}
