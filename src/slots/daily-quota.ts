import { FilerError } from '../errors.js';
import { nameFigure, type Quotas } from '../retention/quotas.js';
import { type CountedUpload, countedBytes, Usage } from '../retention/usage.js';
import { isLimit } from '../units.js';
import type { UploaderIds } from '../upload/uploader.js';

/** What the daily quota of slots depends on. */
export interface DailyQuotaContext {
  readonly uploaderIds: UploaderIds;
  readonly quotas: Quotas;
  /** What a JID sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Counts the bytes of the slots that each uploader got in 24 hours. Uploaders without any take no memory. */
export class DailyQuota {
  readonly #bytes: number;
  readonly #context: DailyQuotaContext;
  readonly #given: Usage;

  constructor(bytes: number, context: DailyQuotaContext) {
    this.#bytes = bytes;
    this.#context = context;
    this.#given = new Usage(context.now);
  }

  /** Counts a slot of a JID. Returns a function that takes it back. Throws `QUOTA_REACHED` if it exceeds the quota. */
  async count(jid: string, size: number): Promise<() => void> {
    const { uploaderIds, quotas, now } = this.#context;
    const table = quotas.find({ uploader: jid });
    const quota = table?.dailyQuota ?? this.#bytes;
    if (!isLimit(quota)) return () => undefined;
    const ids = uploaderIds.idsOf(jid);
    await this.#recall(jid, ids);
    const { bytes, lessAt } = this.#given.sentBy(ids);
    const counted = countedBytes(size);
    if (bytes + counted > quota) {
      const name = table?.dailyQuota === undefined ? 'component.dailyQuota' : nameFigure('dailyQuota', table);
      const found = `the uploader got slots for ${bytes} bytes in 24 hours; ${counted} more would exceed ${name}, ${quota}`;
      throw new FilerError('QUOTA_REACHED', found, { retryAt: counted > quota ? undefined : lessAt });
    }
    const slot = { size, uploader: uploaderIds.idOf(jid), modifiedAt: now() };
    this.#given.addSent(slot);
    return () => this.#given.removeSent(slot);
  }

  /** Bytes for which a JID may still get slots today; `undefined`: any number. */
  async left(jid: string): Promise<number | undefined> {
    const { uploaderIds, quotas } = this.#context;
    const quota = quotas.find({ uploader: jid })?.dailyQuota ?? this.#bytes;
    if (!isLimit(quota)) return undefined;
    const ids = uploaderIds.idsOf(jid);
    await this.#recall(jid, ids);
    return Math.max(0, quota - this.#given.sentBy(ids).bytes);
  }

  /** After a restart, counts what the uploader has uploaded in place of the slots that it got before. */
  async #recall(jid: string, ids: readonly string[]): Promise<void> {
    if (this.#given.hasSent(ids)) return;
    const sent = await this.#context.sentByHour(jid);
    if (this.#given.hasSent(ids)) return;
    for (const upload of sent) this.#given.addSent(upload);
  }
}
