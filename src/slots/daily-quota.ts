import { FilerError } from '../errors.js';
import { type CountedUpload, countedBytes, Usage } from '../retention/usage.js';
import type { UploaderIds } from '../upload/uploader.js';

/** What the daily quota of slots works with. */
export interface DailyQuotaContext {
  readonly uploaderIds: UploaderIds;
  /** What a JID sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** The bytes for which each uploader was given slots in 24 hours; whom none was given in that time takes no memory. */
export class DailyQuota {
  readonly #bytes: number;
  readonly #context: DailyQuotaContext;
  readonly #given: Usage;

  constructor(bytes: number, context: DailyQuotaContext) {
    this.#bytes = bytes;
    this.#context = context;
    this.#given = new Usage(context.now);
  }

  /** Counts a slot of a JID for its day; the result takes it back. Throws `QUOTA_REACHED` where there is no room for it. */
  async count(jid: string, size: number): Promise<() => void> {
    const { uploaderIds, now } = this.#context;
    const ids = uploaderIds.idsOf(jid);
    await this.#recall(jid, ids);
    const { bytes, lessAt } = this.#given.sentBy(ids);
    const counted = countedBytes(size);
    if (bytes + counted > this.#bytes) {
      const found = `slots for ${bytes} bytes were given in 24 hours, ${counted} more would exceed component.dailyQuota, ${this.#bytes}`;
      throw new FilerError('QUOTA_REACHED', found, { retryAt: counted > this.#bytes ? undefined : lessAt });
    }
    const slot = { size, uploader: uploaderIds.idOf(jid), modifiedAt: now() };
    this.#given.addSent(slot);
    return () => this.#given.removeSent(slot);
  }

  /** What was given before a restart is known as far as it was uploaded. */
  async #recall(jid: string, ids: readonly string[]): Promise<void> {
    if (this.#given.hasSent(ids)) return;
    const sent = await this.#context.sentByHour(jid);
    if (this.#given.hasSent(ids)) return;
    for (const upload of sent) this.#given.addSent(upload);
  }
}
