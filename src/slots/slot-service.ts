import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { FilerError } from '../errors.js';
import type { CountedUpload } from '../retention/usage.js';
import type { UploaderIds } from '../upload/uploader.js';
import { DailyQuota } from './daily-quota.js';
import type { IssuedSlot, PlannedSlot, SlotIssuer } from './slot-issuer.js';
import {
  domainOf,
  mayHaveSlots,
  planSlot,
  requireAccess,
  requireFuture,
  type SlotRequest,
  type SlotSettings,
} from './slot-policy.js';

/** How often each JID may ask for a slot. The JIDs of a domain without access count as one. */
const requestsPerMinute = 60;

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
  admitSlot(slot: { readonly size: number; readonly uploader: string }, isUploadUnseen: boolean): Promise<() => void>;
  /** What a JID sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
}

/** What the slot service depends on. */
export interface SlotServiceContext {
  readonly issuer: SlotIssuer;
  readonly limits: SlotLimits;
  readonly uploaderIds: UploaderIds;
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
  readonly #pace = new RateLimiterMemory({ points: requestsPerMinute, duration: 60 });

  constructor(settings: SlotServiceSettings, context: SlotServiceContext) {
    this.#settings = settings;
    this.#context = context;
    const { dailyQuota } = settings;
    if (dailyQuota === undefined) return;
    const sentByHour = context.limits.sentByHour.bind(context.limits);
    this.#dailyQuota = new DailyQuota(dailyQuota, { ...context, sentByHour });
  }

  /**
   * Gives a slot to a bare JID. Throws `SLOTS_LIMITED`, and what `planSlot`, `requireAccess`, `requireFuture`, `SlotLimits`
   * and the issuer throw.
   */
  async give(jid: string, request: SlotRequest): Promise<IssuedSlot> {
    await this.#requirePace(jid);
    requireAccess(jid, this.#settings);
    const planned = planSlot(this.#context.uploaderIds.idOf(jid), request, this.#settings);
    requireFuture(planned, this.#context.now());
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
    const takeBack = await limits.admitSlot({ size: planned.size, uploader: jid }, issuer.isUploadUnseen);
    try {
      return await issuer.issue(planned, now());
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  async #requirePace(jid: string): Promise<void> {
    // A foreign server can invent any number of JIDs.
    const asker = mayHaveSlots(jid, this.#settings) ? jid : domainOf(jid);
    try {
      await this.#pace.consume(asker);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      const reason = `${asker} asked for a slot more than ${requestsPerMinute} times within a minute`;
      if (error.consumedPoints === requestsPerMinute + 1) {
        this.#context.logger.warn({ uploader: jid, reason }, 'slots refused until the minute is over');
      }
      throw new FilerError('SLOTS_LIMITED', reason, { retryAt: this.#context.now() + error.msBeforeNext });
    }
  }
}
