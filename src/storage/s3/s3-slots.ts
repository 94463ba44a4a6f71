import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { FilerError } from '../../errors.js';
import type { DeletedUpload, TombstonePhase } from '../store.js';
import type { ObjectHeaders, S3Bucket } from './s3-bucket.js';
import { timeOf } from './s3-facts.js';
import { isTombstone, makeTombstone } from './s3-tombstone.js';

/** How tombstones age. */
export interface SlotRules {
  /** The phase of a tombstone by its age in ms. Not set: deletions leave no tombstones. */
  readonly tombstonePhase?: (ageMs: number) => TombstonePhase;
  /** The clock that tells a tombstone's age, and when an expiry is due; ms since the epoch. */
  readonly now?: () => number;
  /** Takes warnings for the operator, one line each, about calls that succeed all the same. */
  readonly warn?: (message: string) => void;
}

/** Which keys of a bucket a PUT may use: those without an object, and those whose tombstone may be replaced. */
export class S3Slots {
  readonly #bucket: S3Bucket;
  readonly #rules: Required<SlotRules>;

  constructor(
    bucket: S3Bucket,
    { tombstonePhase = () => 'replaceable', now = Date.now, warn = () => undefined }: SlotRules,
  ) {
    this.#bucket = bucket;
    this.#rules = { tombstonePhase, now, warn };
  }

  /** The phase of a tombstone that was written then (ms since the epoch). */
  phaseAt(writtenAt: number): TombstonePhase {
    return this.#rules.tombstonePhase(this.#rules.now() - writtenAt);
  }

  /** Whether this object is a tombstone that blocks its slot. */
  isBlocked(head: HeadObjectCommandOutput): boolean {
    return isTombstone(head) && this.phaseAt(timeOf(head)) === 'blocks';
  }

  /** The condition of a PUT to a key that has this object, or none. Throws `KEY_TAKEN`. */
  async conditionFor(head: HeadObjectCommandOutput | undefined): Promise<ObjectHeaders> {
    const isExclusive = await this.#bucket.isExclusive();
    if (head === undefined) return isExclusive ? { IfNoneMatch: '*' } : {};
    if (!isTombstone(head)) throw new FilerError('KEY_TAKEN', 'the upload exists');
    const phase = this.phaseAt(timeOf(head));
    // Some services refuse an entity tag with quotes, all take it without.
    if (phase === 'replaceable') return isExclusive ? { IfMatch: head.ETag?.replaceAll('"', '') } : {};
    const until = phase === 'blocks' ? 'replayWindow' : 'until a sweep has removed its tombstone';
    throw new FilerError('KEY_TAKEN', `an upload of this slot was deleted (${until})`);
  }

  /**
   * Replaces an upload by its tombstone, or removes it where deletions leave none. In a full bucket, which has no room for a
   * tombstone, it removes the upload first. If there is still no room then, it warns.
   */
  async bury(upload: DeletedUpload): Promise<void> {
    const { key } = upload;
    if (this.#rules.tombstonePhase(0) !== 'blocks') return this.#bucket.remove(key);
    if (await this.#leaveTombstone(upload, {})) return;
    await this.#bucket.remove(key);
    const condition = (await this.#bucket.isExclusive()) ? { IfNoneMatch: '*' } : {};
    if (await this.#leaveTombstone(upload, condition)) return;
    const found = `${key} was deleted, but the bucket is too full to note that (replayWindow)`;
    this.#rules.warn(`${found}: its PUT URL can be used again, unless its token has expired`);
  }

  /** False where the bucket has no room for it. */
  async #leaveTombstone(upload: DeletedUpload, condition: ObjectHeaders): Promise<boolean> {
    const { body, headers } = makeTombstone(upload);
    try {
      await this.#bucket.write(upload.key, body, { ...headers, ...condition });
      return true;
    } catch (error) {
      const code = error instanceof FilerError ? error.code : undefined;
      // Another PUT has used the slot since the upload was removed, so there is nothing to block.
      if (code === 'KEY_TAKEN') return true;
      if (code === 'STORE_FULL') return false;
      throw error;
    }
  }
}
