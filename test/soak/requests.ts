import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { type Answer, send } from '../support/http-client.js';
import { deleteToken } from '../support/tokens.js';
import type { Permit } from './permits.js';
import type { Scene } from './scene.js';
import { deleteSecret } from './settings.js';
import { bodyOf, type Slot } from './slot.js';
import { type Manner, upload } from './transfer.js';

const maxLogDelayMs = 10_000;
const pauseMs = 200;

/** Sends requests, and has the oracle judge each answer. */
export class Requests {
  readonly #scene: Scene;
  /** Answers by method and status. */
  readonly answered = new Map<string, number>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Uploads to a slot; resolves to the status, 0 if there was no answer. */
  async put(slot: Slot, permit: Permit, manner: Manner): Promise<number> {
    const { filer, oracle, site } = this.#scene;
    const from = Date.now();
    const attempt = slot.begin(from);
    const target = { origin: filer.origin, rawTarget: permit.rawTarget };
    const outcome = await upload(target, permit.headers, bodyOf(slot.facts, attempt), manner);
    const isFilerInTrouble = filer.troubles.since(from);
    const isStoreInTrouble = site.troubles.since(from);
    oracle.judgePut(slot, attempt, { from, to: Date.now() }, outcome, isStoreInTrouble);
    const isLeft = manner.leavesAfter !== undefined;
    if (typeof outcome !== 'number' && !isLeft) await this.#excuse(isFilerInTrouble, 'PUT', outcome, slot);
    if (outcome === 503) await this.#excuse(isStoreInTrouble || isFilerInTrouble, 'PUT', '503', slot);
    if (typeof outcome !== 'number') return 0;
    this.#count('PUT', outcome);
    if (outcome === 201) {
      await this.#checkLimit(undefined);
      if (slot.facts.uploader !== undefined) await this.#checkLimit(slot.facts.uploader);
    }
    return outcome;
  }

  /** Downloads; resolves to the status, 0 if there was no whole answer. */
  async get(slot: Slot, method: 'GET' | 'HEAD'): Promise<number> {
    const { filer, site, oracle, history } = this.#scene;
    const { key, type } = slot.facts;
    const { generation } = slot;
    const from = Date.now();
    const answer = await this.#send(method, key);
    if (answer === undefined || answer.status === 503) {
      const isExcused = filer.troubles.since(from) || site.troubles.since(from);
      await this.#excuse(isExcused, method, answer === undefined ? 'no whole answer' : '503', slot);
      return 0;
    }
    const { status, headers, body } = answer;
    if (![200, 404, 410].includes(status)) throw history.violation(`${method} was answered with ${status}`, key);
    if (status === 200 && headers['content-type'] !== type) throw history.violation(`served as ${type}`, key);
    // An upload came meanwhile, so the answer may be from before or after.
    if (slot.generation !== generation) return status;
    const verdict = oracle.judgeGet(slot, { from, to: Date.now() }, status, method === 'GET' ? body : undefined);
    if (verdict === 'needs a line') await this.#awaitEviction(slot);
    return status;
  }

  /** Downloads a part of an upload. */
  async getPart(slot: Slot, first: number, last: number): Promise<void> {
    const { history } = this.#scene;
    const stored = slot.storedBody;
    const answer = await this.#send('GET', slot.facts.key, { range: `bytes=${first}-${last}` });
    if (answer?.status !== 206 || stored === undefined) return;
    if (!answer.body.equals(stored.subarray(first, last + 1))) throw history.violation('wrong part', slot.facts.key);
  }

  /** Deletes as Metronome does. */
  async delete(slot: Slot): Promise<void> {
    const { filer, site, history } = this.#scene;
    const { key } = slot.facts;
    const from = Date.now();
    const { generation, isKnown } = slot;
    const end = slot.noteDeleteRequest(from);
    const answer = await this.#send('DELETE', `${key}?token=${deleteToken(key, deleteSecret)}`);
    history.note(`DELETE ${answer?.status ?? 'unanswered'}`, key);
    if (answer?.status === 204) {
      end();
      if (isKnown && slot.generation === generation) slot.noteGone(Date.now());
      return;
    }
    const isExcused = filer.troubles.since(from) || (site.troubles.since(from) && answer?.status === 503);
    await this.#excuse(isExcused, 'DELETE', String(answer?.status), slot);
  }

  async #send(method: string, target: string, headers = {}): Promise<Answer | undefined> {
    const { filer } = this.#scene;
    const to = { origin: filer.origin, rawTarget: `/upload/${target}` };
    const answer = await send(to, { method, headers }).catch(() => undefined);
    if (answer !== undefined) this.#count(method, answer.status);
    return answer;
  }

  #count(method: string, status: number): void {
    const name = `${method} ${status}`;
    this.answered.set(name, (this.answered.get(name) ?? 0) + 1);
  }

  /** Throws unless there was a trouble; after one, a client waits before it goes on. */
  async #excuse(isExcused: boolean, method: string, outcome: string, { facts }: Slot): Promise<void> {
    const { history } = this.#scene;
    history.note(`${method} failed, ${outcome}`, facts.key);
    if (!isExcused) throw history.violation(`${method} without any trouble: ${outcome}`, facts.key);
    await wait(pauseMs);
  }

  /** Waits for the line of the log that says that it was evicted. */
  async #awaitEviction(slot: Slot): Promise<void> {
    const until = Date.now() + maxLogDelayMs;
    while (!slot.isEvicted && Date.now() < until) await wait(pauseMs);
    if (!slot.isEvicted) this.#scene.oracle.excuseMissingLine(slot.facts.key);
  }

  /** Throws if more is stored than a limit allows. */
  async #checkLimit(uploader: string | undefined): Promise<void> {
    const { oracle, history } = this.#scene;
    const at = Date.now();
    const slots = oracle.surelyCounted(uploader);
    if (oracle.excessOf(slots, uploader) === undefined) return;
    // Lines about evictions may still be on their way here.
    await wait(500);
    const left = slots.filter((slot) => slot.isSurelyThere(at));
    if (oracle.excessOf(left, uploader) === undefined) return;
    const statuses = await Promise.all(left.map(async (slot) => ({ slot, status: await this.get(slot, 'HEAD') })));
    const found = statuses.filter(({ status }) => status === 200).map(({ slot }) => slot);
    const excess = oracle.excessOf(found, uploader);
    if (excess !== undefined) throw history.violation(excess);
  }
}

/** The values of one metric, by its labels. */
export async function readMetrics(origin: string): Promise<Map<string, number>> {
  const { status, body } = await send(`${origin}/metrics`);
  assert.equal(status, 200);
  const lines = body.toString().matchAll(/^(prosody_filer_\S+) (\d+(?:\.\d+)?)$/gm);
  return new Map([...lines].map(([, name = '', value]) => [name, Number(value)]));
}
