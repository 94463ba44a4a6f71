/*
 * What an observer knows of one slot. All times are ms since the epoch on this host's clock, which the program shares. An
 * observer sees only when a request began and when its answer came, so most times are known as the earliest and the latest.
 */
import { createHash } from 'node:crypto';

/** The settings that decide what must be there. */
export interface Rules {
  readonly replayWindowMs: number;
  readonly evictMinAgeMs: number;
  /** An upload may seem older than it is by this: the store keeps whole seconds. */
  readonly grainMs: number;
}

/** What is decided when a slot is made. */
export interface SlotFacts {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly type: string;
  readonly uploader: string | undefined;
  /** How long the retention rules keep it. */
  readonly lifetimeMs: number;
  /** The expiry that its token names. */
  readonly expiresAt: number | undefined;
}

/** When a request began and ended. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The bytes of one attempt to upload to a slot; no other attempt has the same ones, if they are more than a few. */
export function bodyOf({ key, size }: Pick<SlotFacts, 'key' | 'size'>, attempt: number): Buffer {
  return Buffer.alloc(size, createHash('sha512').update(`${key} ${attempt}`).digest());
}

/** An attempt to upload that may have been stored. */
interface Attempt {
  readonly from: number;
  readonly isRunning: boolean;
}

/** A slot, the attempts to upload to it, and what became of them as far as anybody can know. */
export class Slot {
  readonly facts: SlotFacts;
  readonly #rules: Rules;
  /** Attempts that may have been stored. */
  #possible = new Map<number, Attempt>();
  /** The attempt that was stored, and when at the earliest and at the latest. */
  #stored: (Span & { readonly attempt: number }) | undefined;
  #generation = 0;
  /** When its deletion was first asked for, and when that was last answered. */
  #askedToGo = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  /** Requests to delete it that may still have an effect. */
  #deletions = 0;
  #goneBy = Number.POSITIVE_INFINITY;
  #attempts = 0;
  /** Set if a PUT of it may still be running in the program, although nobody waits for its answer. */
  mayBeBusy = false;
  /** Set if its process may have died before it was counted. */
  isUncounted = false;
  isEvicted = false;

  constructor(facts: SlotFacts, rules: Rules) {
    this.facts = facts;
    this.#rules = rules;
  }

  /** Changes whenever something is known to have been stored. */
  get generation(): number {
    return this.#generation;
  }

  /** The bytes that are known to be stored. */
  get storedBody(): Buffer | undefined {
    return this.#stored === undefined ? undefined : bodyOf(this.facts, this.#stored.attempt);
  }

  /** Whether an attempt is known to have been stored. */
  get isKnown(): boolean {
    return this.#stored !== undefined;
  }

  /** Whether an attempt is running. */
  get isRunning(): boolean {
    return [...this.#possible.values()].some(({ isRunning }) => isRunning);
  }

  /** Whether an upload may still be there. */
  get isAlive(): boolean {
    return this.mayBeTaken && this.#goneBy === Number.POSITIVE_INFINITY;
  }

  /** Whether anything may ever have been stored. */
  get mayBeTaken(): boolean {
    return this.#stored !== undefined || this.#possible.size > 0;
  }

  get #earliestExpiry(): number {
    if (this.#stored === undefined) return 0;
    const { lifetimeMs, expiresAt = Number.POSITIVE_INFINITY } = this.facts;
    return Math.min(this.#stored.from - this.#rules.grainMs + lifetimeMs, expiresAt);
  }

  get #latestExpiry(): number {
    const { lifetimeMs, expiresAt = Number.POSITIVE_INFINITY } = this.facts;
    return Math.min((this.#stored?.to ?? Number.POSITIVE_INFINITY) + lifetimeMs, expiresAt);
  }

  /** Whether it may be gone at this time for a reason that is no eviction. */
  mayHaveEnded(at: number): boolean {
    return at >= this.#earliestExpiry || at >= this.#askedToGo.from;
  }

  /** Whether it must be there. */
  isSurelyThere(at: number): boolean {
    return this.isKnown && this.isAlive && !this.isEvicted && !this.mayHaveEnded(at);
  }

  /** Whether its tombstone may no longer block it. */
  mayBeFreeAgain(at: number): boolean {
    if (this.#stored === undefined) return false;
    const evictableAt = this.#stored.from + Math.max(0, this.#rules.evictMinAgeMs - this.#rules.grainMs);
    const earliestEnd = Math.min(this.#earliestExpiry, this.#askedToGo.from, evictableAt);
    return at >= earliestEnd + this.#rules.replayWindowMs - this.#rules.grainMs;
  }

  /** Begins an attempt, and gives its number. */
  begin(from: number): number {
    const attempt = this.#attempts++;
    if (this.isRunning) this.mayBeBusy = true;
    this.#possible.set(attempt, { from, isRunning: true });
    return attempt;
  }

  /** An attempt may have been stored: nobody heard. */
  noteUnknown(attempt: number, from: number): void {
    this.isUncounted = true;
    this.mayBeBusy = true;
    this.#possible.set(attempt, { from, isRunning: false });
  }

  /** An attempt was not stored; the result says what is wrong with that. */
  noteRefused(attempt: number): string | undefined {
    this.#possible.delete(attempt);
    return this.#stored?.attempt === attempt ? 'refused or broken off, and served all the same' : undefined;
  }

  /** An attempt was answered with 201; the result says what is wrong with that. */
  noteCreated(attempt: number, span: Span): string | undefined {
    const isSame = this.#stored?.attempt === attempt;
    const wrong = this.isKnown && !isSame && !this.mayBeFreeAgain(span.to);
    if (!isSame) this.#renew(attempt, span);
    return wrong ? '201 for a slot that had been used' : undefined;
  }

  /** Somebody asks for its deletion; the result is to be called at the answer. */
  noteDeleteRequest(at: number): () => void {
    this.#askedToGo.from = Math.min(this.#askedToGo.from, at);
    this.#askedToGo.to = Number.POSITIVE_INFINITY;
    this.#deletions += 1;
    return () => {
      this.#deletions -= 1;
      if (this.#deletions === 0) this.#askedToGo.to = Date.now();
    };
  }

  /** It is known to be gone. */
  noteGone(at: number): void {
    this.#goneBy = Math.min(this.#goneBy, at);
  }

  /** Whatever may have been stored was not, and no attempt is on its way. */
  noteNeverStored(): void {
    this.#possible.clear();
    this.mayBeBusy = false;
  }

  /** It was served; the result says what is wrong with that. */
  noteServed(body: Buffer | undefined, span: Span): string | undefined {
    if (span.from > this.#goneBy) return 'served after it was gone';
    if (span.from > this.#latestExpiry) return 'served after its expiry';
    const attempt = this.#attemptOf(body);
    if (attempt === undefined) return 'served with bytes that no accepted upload had';
    if (body !== undefined && !this.isKnown) {
      const from = this.#possible.get(attempt)?.from ?? span.from;
      this.#renew(attempt, { from, to: span.to });
    }
    return undefined;
  }

  #renew(attempt: number, span: Span): void {
    this.#generation += 1;
    this.#stored = { ...span, attempt };
    this.#possible = new Map([...this.#possible].filter(([other, { isRunning }]) => other === attempt || isRunning));
    this.#goneBy = Number.POSITIVE_INFINITY;
    this.isEvicted = false;
    // A deletion that was asked for before the upload began cannot concern it.
    if (this.#askedToGo.to < span.from) this.#askedToGo.from = Number.POSITIVE_INFINITY;
  }

  /** The attempt with these bytes that may have been stored; without bytes, any. */
  #attemptOf(body: Buffer | undefined): number | undefined {
    const attempts = this.#stored === undefined ? [...this.#possible.keys()] : [this.#stored.attempt];
    if (body === undefined) return attempts[0];
    return attempts.find((attempt) => bodyOf(this.facts, attempt).equals(body));
  }
}
