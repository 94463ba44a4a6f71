import type { History } from './history.js';
import { type Rules, Slot, type SlotFacts, type Span } from './slot.js';

/** How a PUT ended: with an answer; without one, after all bytes were sent; or without one before. */
export type PutOutcome = number | 'unanswered' | 'broken';

/** The limits that the program was given, in bytes. */
export interface Limits {
  readonly maxStoreSize: number;
  readonly userQuota: number;
  readonly dailyQuota: number;
}

/** More slots than any test makes within the longest lifetime. */
const maxLive = 5000;

/** Statuses of a PUT after which nothing may be left of it. */
const refusals = new Set([403, 413, 507]);

/** A file counts as at least 4 KiB (README, "Limits"). */
export function counted(size: number): number {
  return Math.max(size, 4096);
}

/** Knows every slot, and judges each answer of the program. */
export class Oracle {
  readonly slots = new Map<string, Slot>();
  readonly #list: Slot[] = [];
  readonly #rules: Rules;
  readonly #limits: Limits;
  readonly #history: History;
  /** Uploads that were answered with 201, by uploader. */
  readonly #sentBy = new Map<string, { readonly from: number; readonly bytes: number }[]>();
  /** Uploads that may be gone without a line in the log, since a kill may cut off one. */
  #missingLines = 0;

  constructor(rules: Rules, limits: Limits, history: History) {
    this.#rules = rules;
    this.#limits = limits;
    this.#history = history;
  }

  /** A new slot. */
  add(facts: SlotFacts): Slot {
    const slot = new Slot(facts, this.#rules);
    this.slots.set(facts.key, slot);
    this.#list.push(slot);
    return slot;
  }

  /** The slots of which an upload may still be there; older ones have expired. */
  latest(count = maxLive): readonly Slot[] {
    return this.#list.slice(-count);
  }

  /** What an uploader has sent, in bytes, without what may be forgotten: an upload that was deleted counts for replayWindow. */
  sentBy(uploader: string): number {
    const { replayWindowMs, grainMs } = this.#rules;
    const oldest = Date.now() - replayWindowMs + grainMs;
    const sent = this.#sentBy.get(uploader) ?? [];
    return sent.reduce((sum, { from, bytes }) => (from > oldest ? sum + bytes : sum), 0);
  }

  /** The program was killed: the line about a deletion of that moment may be missing. */
  noteKill(): void {
    // One expired upload and one that is evicted may be in deletion at the same time.
    this.#missingLines += 2;
  }

  /** Processes died, so uploads of that moment may be stored without being counted until the next sweep. */
  noteDeath(): void {
    for (const slot of this.latest()) if (slot.isRunning) slot.isUncounted = true;
  }

  /** The log tells of a deletion. */
  noteDeletion(key: string, reason: unknown): void {
    const slot = this.slots.get(key);
    if (slot !== undefined && reason === 'evicted') slot.isEvicted = true;
  }

  /** Judges the end of a PUT; throws on a violation. */
  judgePut(slot: Slot, attempt: number, span: Span, outcome: PutOutcome, isStoreInTrouble: boolean): void {
    const { key } = slot.facts;
    this.#history.note(`PUT ${outcome}`, key);
    if (outcome === 201) this.#acceptCreated(slot, attempt, span);
    else if (outcome === 'unanswered' || (isStoreInTrouble && outcome === 503)) slot.noteUnknown(attempt, span.from);
    else this.#acceptRefusal(slot, attempt, outcome);
  }

  /** Judges the answer to a GET or HEAD; `body` is `undefined` for a HEAD. Resolves to whether a line of the log has to explain it. */
  judgeGet(slot: Slot, span: Span, status: number, body: Buffer | undefined): 'explained' | 'needs a line' {
    const { key } = slot.facts;
    this.#history.note(`${body === undefined ? 'HEAD' : 'GET'} ${status}`, key);
    if (status === 200) this.#require(slot.noteServed(body, span), key);
    else if (status === 404) {
      const isMissing = slot.isKnown && !slot.mayBeFreeAgain(span.to);
      this.#require(isMissing ? '404 for an upload that was stored' : undefined, key);
    } else if (status === 410) {
      this.#require(slot.mayBeTaken ? undefined : '410 for a slot that nobody has used', key);
      slot.noteGone(span.to);
      if (slot.isKnown && !slot.mayHaveEnded(span.to)) return 'needs a line';
    }
    return 'explained';
  }

  /** Spends one of the lines that kills may have cut off. */
  excuseMissingLine(key: string): void {
    this.#missingLines -= 1;
    this.#require(
      this.#missingLines < 0 ? 'gone without expiry, deletion or a line about its eviction' : undefined,
      key,
    );
  }

  /** Uploads that must be there and must be counted. */
  surelyCounted(uploader: string | undefined): Slot[] {
    const now = Date.now();
    const isWanted = (slot: Slot) => uploader === undefined || slot.facts.uploader === uploader;
    return this.latest().filter((slot) => isWanted(slot) && !slot.isUncounted && slot.isSurelyThere(now));
  }

  /** The limit that these uploads exceed. */
  excessOf(slots: readonly Slot[], uploader: string | undefined): string | undefined {
    const bytes = slots.reduce((sum, { facts }) => sum + counted(facts.size), 0);
    const limit = uploader === undefined ? this.#limits.maxStoreSize : this.#limits.userQuota;
    const what = uploader === undefined ? 'maxStoreSize' : `userQuota of ${uploader}`;
    return bytes > limit ? `${bytes} bytes exceed ${what}, ${limit}` : undefined;
  }

  #acceptCreated(slot: Slot, attempt: number, span: Span): void {
    const { key, uploader, size } = slot.facts;
    this.#require(slot.noteCreated(attempt, span), key);
    if (uploader !== undefined && !slot.isUncounted) this.#addSent(uploader, span.from, counted(size));
  }

  /** Nothing of the attempt may be left, and there has to be a reason for it. */
  #acceptRefusal(slot: Slot, attempt: number, outcome: number | 'broken'): void {
    const { key } = slot.facts;
    this.#require(slot.noteRefused(attempt), key);
    if (outcome === 'broken') slot.mayBeBusy = true;
    else if (outcome === 409) {
      const isExplained = slot.mayBeTaken || slot.mayBeBusy;
      this.#require(isExplained ? undefined : '409 for a slot that nobody has used', key);
    } else if (outcome !== 503 && !refusals.has(outcome)) this.#require(`PUT was answered with ${outcome}`, key);
  }

  #addSent(uploader: string, from: number, bytes: number): void {
    this.#sentBy.set(uploader, [...(this.#sentBy.get(uploader) ?? []), { from, bytes }]);
    const sent = this.sentBy(uploader);
    this.#require(sent > this.#limits.dailyQuota ? `${uploader} sent ${sent} bytes in a day` : undefined);
  }

  #require(wrong: string | undefined, key?: string): void {
    if (wrong !== undefined) throw this.#history.violation(wrong, key);
  }
}
