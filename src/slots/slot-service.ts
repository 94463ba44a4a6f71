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

/** How often each JID may ask, and each domain without access. */
const requestsPerMinute = 60;

/** The settings of slots, and how much each uploader may be given. */
export interface SlotServiceSettings extends SlotSettings {
  /** Bytes for which each uploader may be given slots in 24 hours. */
  readonly dailyQuota: number | undefined;
}

/** What the store has room for. */
export interface SlotLimits {
  /**
   * Throws what `Limits` throws for an upload without room, and removes nothing to make it. One that nobody will see counts
   * from now on, unless the result takes it back.
   */
  admitSlot(slot: { readonly size: number; readonly uploader: string }, isUploadUnseen: boolean): Promise<() => void>;
  /** What a JID sent in the last 24 hours. */
  sentByHour(uploader: string): Promise<CountedUpload[]>;
}

/** What slots are given with. */
export interface SlotServiceContext {
  readonly issuer: SlotIssuer;
  /** The store's. */
  readonly limits: SlotLimits;
  readonly uploaderIds: UploaderIds;
  readonly logger: Record<'info' | 'warn', (line: object, message: string) => void>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Gives slots to those who may have them. */
export class SlotService {
  readonly #settings: SlotServiceSettings;
  readonly #context: SlotServiceContext;
  readonly #dailyQuota: DailyQuota | undefined;
  /** Forgets each key after its minute. */
  readonly #pace = new RateLimiterMemory({ points: requestsPerMinute, duration: 60 });

  constructor(settings: SlotServiceSettings, context: SlotServiceContext) {
    this.#settings = settings;
    this.#context = context;
    const { dailyQuota } = settings;
    if (dailyQuota === undefined) return;
    const sentByHour = context.limits.sentByHour.bind(context.limits);
    this.#dailyQuota = new DailyQuota(dailyQuota, { ...context, sentByHour });
  }

  /** A slot for a bare JID. Throws what `planSlot`, `requireAccess`, `requireFuture`, `SlotLimits` and the issuer throw, and `SLOTS_LIMITED`. */
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

  async #issue(jid: string, planned: PlannedSlot): Promise<IssuedSlot> {
    const { issuer, limits, now } = this.#context;
    // By the JID, so that uploads under all of its ids count. The PUT reserves its room later; a slot without room is
    // refused now, so that its client learns of it in time.
    const takeBack = await limits.admitSlot({ size: planned.size, uploader: jid }, issuer.isUploadUnseen);
    try {
      return await issuer.issue(planned, now());
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  async #requirePace(jid: string): Promise<void> {
    // A foreign server can make up any number of JIDs.
    const asker = mayHaveSlots(jid, this.#settings) ? jid : domainOf(jid);
    try {
      await this.#pace.consume(asker);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      const reason = `${asker} asked more than ${requestsPerMinute} times in a minute`;
      if (error.consumedPoints === requestsPerMinute + 1) {
        this.#context.logger.warn({ uploader: jid, reason }, 'slots refused until the minute is over');
      }
      throw new FilerError('SLOTS_LIMITED', reason, { retryAt: this.#context.now() + error.msBeforeNext });
    }
  }
}
