import { RateLimiterMemory } from 'rate-limiter-flexible';
import { FilerError } from '../errors.js';
import type { Quotas } from '../retention/quotas.js';
import type { CountedUpload } from '../retention/usage.js';
import { unlimited } from '../units.js';
import type { UploadKey } from '../upload/upload-key.js';
import { domainOf, type UploaderIds } from '../upload/uploader.js';
import { DailyQuota } from './daily-quota.js';
import type { IssuedSlot, PlannedSlot, SlotIssuer } from './slot-issuer.js';
import {
  mayHaveSlots,
  planSlot,
  requireAccess,
  requireFuture,
  type SlotRequest,
  type SlotSettings,
} from './slot-policy.js';

/** How often each JID may ask for a slot, unless a table of quotas says more. The JIDs of a domain without access count as one. */
const usualRequestsPerMinute = 60;

/** The settings of slots. */
export interface SlotServiceSettings extends SlotSettings {
  /** Bytes for which each uploader may get slots in 24 hours; `undefined`: no limit. */
  readonly dailyQuota: number | undefined;
}

/** The limits of the store, as slots need them. */
export interface SlotLimits {
  /**
   * Throws what `Limits` throws if the store has no room for the upload, and never deletes uploads to make room. An unseen
   * upload counts as stored from now on. The function that it returns takes that back.
   */
  admitSlot(
    slot: { readonly key: UploadKey; readonly size: number; readonly uploader: string },
    isUploadUnseen: boolean,
  ): Promise<() => void>;
  /** What a JID sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
}

/** What the slot service depends on. */
export interface SlotServiceContext {
  readonly issuer: SlotIssuer;
  readonly limits: SlotLimits;
  readonly uploaderIds: UploaderIds;
  readonly quotas: Quotas;
  readonly logger: Record<'info' | 'warn', (line: object, message: string) => void>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Gives slots to the JIDs that may get them, within their limits. */
export class SlotService {
  readonly #settings: SlotServiceSettings;
  readonly #context: SlotServiceContext;
  readonly #dailyQuota: DailyQuota | undefined;
  /** Forgets a JID or domain after its minute. */
  readonly #pace = new RateLimiterMemory({ points: unlimited, duration: 60 });

  constructor(settings: SlotServiceSettings, context: SlotServiceContext) {
    this.#settings = settings;
    this.#context = context;
    const { dailyQuota } = settings;
    if (dailyQuota === undefined) return;
    const sentByHour = context.limits.sentByHour.bind(context.limits);
    this.#dailyQuota = new DailyQuota(dailyQuota, { ...context, sentByHour });
  }

  /** The largest file in bytes for which a bare JID gets a slot; `unlimited`: any. */
  maxFileSizeFor(jid: string): number {
    return this.#context.quotas.find({ uploader: jid })?.maxFileSize ?? this.#settings.maxFileSize;
  }

  /**
   * Gives a slot to a bare JID. Throws `SLOTS_LIMITED`, and what `planSlot`, `requireAccess`, `requireFuture`, `SlotLimits`
   * and the issuer throw.
   */
  async give(jid: string, request: SlotRequest): Promise<IssuedSlot> {
    await this.#requirePace(jid);
    requireAccess(jid, this.#settings);
    const { uploaderIds, quotas, now } = this.#context;
    const asker = { uploader: uploaderIds.idOf(jid), quota: quotas.nameFor(jid) };
    const planned = planSlot(asker, request, { ...this.#settings, maxFileSize: this.maxFileSizeFor(jid) });
    requireFuture(planned, now());
    const takeBack = await this.#dailyQuota?.count(jid, planned.size);
    try {
      const slot = await this.#issue(jid, planned);
      this.#context.logger.info({ uploader: jid, path: planned.key, bytes: planned.size }, 'slot given');
      return slot;
    } catch (error) {
      takeBack?.();
      throw error;
    }
  }

  /** Bytes for which a bare JID may still get slots today; `undefined`: there is no daily quota of slots. */
  async leftToday(jid: string): Promise<number | undefined> {
    return this.#dailyQuota?.left(jid);
  }

  async #issue(jid: string, planned: PlannedSlot): Promise<IssuedSlot> {
    const { issuer, limits, now } = this.#context;
    // By the JID, so that uploads under all of its ids count. The PUT will reserve the room, but the client should
    // learn now if the store is full.
    const takeBack = await limits.admitSlot({ ...planned, uploader: jid }, issuer.isUploadUnseen);
    try {
      return await issuer.issue(planned, now());
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  async #requirePace(jid: string): Promise<void> {
    const { quotas, logger, now } = this.#context;
    // A foreign server can invent any number of JIDs.
    const mayAsk = mayHaveSlots(jid, this.#settings);
    const asker = mayAsk ? jid : domainOf(jid);
    const table = mayAsk ? quotas.find({ uploader: jid }) : undefined;
    const max = table?.requestsPerMinute ?? usualRequestsPerMinute;
    const { consumedPoints, msBeforeNext } = await this.#pace.consume(asker);
    if (consumedPoints <= max) return;
    const reason = `${asker} asked for a slot more than ${max} times within a minute`;
    if (consumedPoints === max + 1) {
      logger.warn({ uploader: jid, reason }, 'slots refused until the minute is over');
    }
    throw new FilerError('SLOTS_LIMITED', reason, { retryAt: now() + msBeforeNext });
  }
}
