import { FilerError } from '../errors.js';
import { type CountedUpload, Usage } from '../upload/usage.js';
import type { PlannedSlot } from './slot-issuer.js';

const pruningIntervalMs = 60 * 60 * 1000;

/** What the daily quota of slots works with. */
export interface DailyQuotaContext {
  /** What an uploader sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** The bytes for which each uploader was given slots in 24 hours; whom none was given in that time takes no memory. */
export class DailyQuota {
  readonly #bytes: number;
  readonly #context: DailyQuotaContext;
  readonly #given = new Usage();
  #prunedAt = 0;

  constructor(bytes: number, context: DailyQuotaContext) {
    this.#bytes = bytes;
    this.#context = context;
  }

  /** Counts a slot for its day; the result takes it back. Throws `QUOTA_REACHED` where there is no room for it. */
  async count({ size, uploader }: PlannedSlot): Promise<() => void> {
    await this.#recall(uploader);
    const now = this.#context.now();
    const { bytes, lessAt } = this.#given.sentBy(uploader, now);
    if (bytes + size > this.#bytes) {
      const found = `slots for ${bytes} bytes were given in 24 hours, ${size} more would exceed component.dailyQuota, ${this.#bytes}`;
      throw new FilerError('QUOTA_REACHED', found, { retryAt: size > this.#bytes ? undefined : lessAt });
    }
    const slot = { size, uploader, modifiedAt: now };
    this.#given.addSent(slot);
    return () => this.#given.removeSent(slot);
  }

  /** What was given before a restart is known as far as it was uploaded. */
  async #recall(uploader: string): Promise<void> {
    this.#prune();
    if (this.#given.hasSent(uploader)) return;
    const sent = await this.#context.sentByHour(uploader);
    if (this.#given.hasSent(uploader)) return;
    for (const upload of sent) this.#given.addSent(upload);
  }

  #prune(): void {
    const now = this.#context.now();
    if (now - this.#prunedAt < pruningIntervalMs) return;
    this.#prunedAt = now;
    this.#given.forgetSent(now);
  }
}
