import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { FilerError } from '../errors.js';
import type { Limits } from '../upload/limits.js';
import { type CountedUpload, Usage } from '../upload/usage.js';
import type { IssuedSlot, PlannedSlot, SlotIssuer } from './slot-issuer.js';
import { planSlot, requireAccess, type SlotRequest, type SlotSettings } from './slot-policy.js';

/** How often each JID may ask. */
const requestsPerMinute = 60;

/** The settings of slots, and how much each uploader may be given. */
export interface SlotServiceSettings extends SlotSettings {
  /** Bytes for which each uploader may be given slots in 24 hours. */
  readonly dailyQuota: number | undefined;
}

/** What slots are given with. */
export interface SlotServiceContext {
  readonly issuer: SlotIssuer;
  /** The store's, which also know what each uploader sent in the last 24 hours. */
  readonly limits: Limits & { sentByHour(uploader: string): Promise<CountedUpload[]> };
  readonly logger: { info(line: object, message: string): void };
  /** ms since the epoch. */
  readonly now: () => number;
}

/** Gives slots to those who may have them. */
export class SlotService {
  readonly #settings: SlotServiceSettings;
  readonly #context: SlotServiceContext;
  readonly #given = new Usage();
  /** The uploaders of whom it is counted already what they sent before this program was started. */
  readonly #known = new Set<string>();
  readonly #pace = new RateLimiterMemory({ points: requestsPerMinute, duration: 60 });

  constructor(settings: SlotServiceSettings, context: SlotServiceContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /** A slot for a bare JID. Throws what `planSlot`, `requireAccess`, `Limits` and the issuer throw, and `SLOTS_LIMITED`. */
  async give(jid: string, request: SlotRequest): Promise<IssuedSlot> {
    const { issuer, limits, logger, now } = this.#context;
    requireAccess(jid, this.#settings);
    await this.#requirePace(jid);
    const planned = planSlot(jid, request, this.#settings);
    const settle = await limits.reserve(planned);
    let isGiven = false;
    try {
      await this.#count(planned);
      const slot = await issuer.issue(planned, now());
      isGiven = true;
      logger.info({ uploader: jid, path: planned.key, bytes: planned.size }, 'slot given');
      return slot;
    } finally {
      // A PUT to this program will reserve its room again; here those are told in time for whom there is none.
      settle(isGiven && issuer.isUploadUnseen);
    }
  }

  async #requirePace(jid: string): Promise<void> {
    try {
      await this.#pace.consume(jid);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      const retryAt = this.#context.now() + error.msBeforeNext;
      throw new FilerError('SLOTS_LIMITED', `more than ${requestsPerMinute} requests in a minute`, { retryAt });
    }
  }

  /** Counts a slot for its day, as far as the daily quota has room for it. */
  async #count({ size, uploader }: PlannedSlot): Promise<void> {
    const { dailyQuota } = this.#settings;
    if (dailyQuota === undefined) return;
    await this.#recall(uploader);
    const now = this.#context.now();
    const { bytes, lessAt } = this.#given.sentBy(uploader, now);
    if (bytes + size > dailyQuota) {
      const found = `slots for ${bytes} bytes were given in 24 hours, ${size} more would exceed component.dailyQuota, ${dailyQuota}`;
      throw new FilerError('QUOTA_REACHED', found, { retryAt: size > dailyQuota ? undefined : lessAt });
    }
    this.#given.addSent({ size, uploader, modifiedAt: now });
  }

  /** What was given before a restart is known as far as it was uploaded. */
  async #recall(uploader: string): Promise<void> {
    if (this.#known.has(uploader)) return;
    const sent = await this.#context.limits.sentByHour(uploader);
    if (this.#known.has(uploader)) return;
    this.#known.add(uploader);
    for (const upload of sent) this.#given.addSent(upload);
  }
}
