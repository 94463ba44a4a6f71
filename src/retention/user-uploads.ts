import { FilerError, messageOf } from '../errors.js';
import { inBatches } from '../in-batches.js';
import type { ListedUpload, Store } from '../storage/store.js';
import type { UploadKey } from '../upload/upload-key.js';
import type { UploaderIds } from '../upload/uploader.js';
import { type DeletionReason, deletionLine } from './deletion-line.js';
import { isExpired, type Retention } from './expiry.js';
import type { Limits } from './limits.js';
import { removeUpload } from './remove-upload.js';

/** What the uploads of users depend on. */
export interface UserUploadsContext {
  readonly store: Store;
  readonly limits: Pick<Limits, 'forget'>;
  readonly retention: Retention;
  readonly uploaderIds: UploaderIds;
  readonly logger: Record<'info' | 'warn', (line: object, message: string) => void>;
  /** ms since the epoch. */
  readonly now: () => number;
}

/** A walk over uploads that may take long. */
export interface Walk {
  /** Ends the walk; then it throws the signal's reason. */
  readonly signal: AbortSignal;
  /** Called for each upload that was found or deleted. */
  count(): void;
}

/** The uploads of a user. */
export interface FoundUploads {
  readonly files: number;
  readonly bytes: number;
  /** The newest ones first, so many at most as were asked for. */
  readonly newest: readonly ListedUpload[];
}

/** The uploads that were deleted, and the number of those that could not be. */
export interface DeletedUploads {
  readonly files: number;
  readonly bytes: number;
  readonly failed: number;
}

/** After so many failures in a row the store is probably down, and each further one may take as long as a timeout. */
const maxFailedInARow = 20;

/** Who asked for a deletion. */
export interface Asker {
  /** A bare JID. */
  readonly jid: string;
  readonly reason: DeletionReason;
}

/** So many deletions run at the same time, since they share flushes. */
export const deletionsAtOnce = 10;

function newestFirst(uploads: readonly ListedUpload[], max: number): ListedUpload[] {
  return uploads.toSorted((a, b) => b.modifiedAt - a.modifiedAt || (a.key < b.key ? -1 : 1)).slice(0, max);
}

/** Finds and deletes the uploads of one user, whom a JID or an id names. Methods throw what `Store` throws. */
export class UserUploads {
  readonly #context: UserUploadsContext;

  constructor(context: UserUploadsContext) {
    this.#context = context;
  }

  /** Finds the uploads that have not expired. Keeps twice `maxNewest` of them in memory. */
  async find(user: string, maxNewest: number, walk: Walk): Promise<FoundUploads> {
    const { retention, now } = this.#context;
    let files = 0;
    let bytes = 0;
    let newest: ListedUpload[] = [];
    for await (const upload of this.#list(user, walk.signal)) {
      if (isExpired(retention.expiryOf(upload), now())) continue;
      files += 1;
      bytes += upload.size;
      walk.count();
      newest.push(upload);
      if (newest.length === 2 * maxNewest) newest = newestFirst(newest, maxNewest);
    }
    return { files, bytes, newest: newestFirst(newest, maxNewest) };
  }

  /** When an upload expires, ms since the epoch; `undefined`: never. Asks the store where the listing does not tell. */
  async expiryOf(listed: ListedUpload): Promise<number | undefined> {
    const { store, retention } = this.#context;
    if (listed.isComplete) return retention.expiryOf(listed);
    const { key } = listed;
    const upload = await store.open(key);
    upload?.close();
    return retention.expiryOf(upload === undefined ? listed : { ...upload, key });
  }

  /** Deletes one upload of a user; false if it is gone. */
  async delete(key: UploadKey, user: string, asker: Asker): Promise<boolean> {
    const { logger, now } = this.#context;
    const deleted = await removeUpload(key, this.#context);
    if (deleted === undefined) return false;
    logger.info({ ...deletionLine(deleted, asker.reason, now()), uploader: user, by: asker.jid }, 'deleted');
    return true;
  }

  /**
   * Deletes all uploads of a user, and logs how many. What cannot be deleted is logged and passed over; after 20 of these in a
   * row, it ends.
   */
  async deleteAll(user: string, asker: Asker, walk: Walk): Promise<DeletedUploads> {
    const { logger } = this.#context;
    const deleted = { files: 0, bytes: 0, failed: 0 };
    const log = (level: 'info' | 'warn', more: object) =>
      logger[level](
        { uploader: user, by: asker.jid, reason: asker.reason, ...deleted, ...more },
        'ended the deletion of all uploads of a user',
      );
    try {
      await this.#deleteEach(user, asker, walk, deleted);
    } catch (error) {
      // The client may have stopped waiting, and then does not hear of it.
      log('warn', { error: messageOf(error) });
      throw error;
    }
    log(deleted.failed === 0 ? 'info' : 'warn', {});
    return deleted;
  }

  async #deleteEach(
    user: string,
    asker: Asker,
    walk: Walk,
    deleted: { files: number; bytes: number; failed: number },
  ): Promise<void> {
    const { logger } = this.#context;
    let failedInARow = 0;
    const deleteOne = async ({ key, size }: ListedUpload): Promise<void> => {
      try {
        if (!(await this.delete(key, user, asker))) return;
        deleted.files += 1;
        deleted.bytes += size;
        walk.count();
        failedInARow = 0;
      } catch (error) {
        if (!(error instanceof FilerError)) throw error;
        deleted.failed += 1;
        logger.warn({ path: key, uploader: user, by: asker.jid, error: messageOf(error) }, 'could not be deleted');
        failedInARow += 1;
      }
    };
    for await (const batch of inBatches(this.#list(user, walk.signal), deletionsAtOnce)) {
      await Promise.all(batch.map(deleteOne));
      if (failedInARow >= maxFailedInARow) return;
    }
  }

  async *#list(user: string, signal: AbortSignal): AsyncGenerator<ListedUpload> {
    const { store, uploaderIds } = this.#context;
    for await (const upload of store.list({ of: uploaderIds.filterOf(user), signal })) {
      signal.throwIfAborted();
      yield upload;
    }
    signal.throwIfAborted();
  }
}
