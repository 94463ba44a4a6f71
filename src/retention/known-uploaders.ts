import type { UploaderIds } from '../upload/uploader.js';

/** The ids of 15,000 uploaders with one secret, or of 10,000 with two; about 4 MiB. */
const maxIds = 30_000;

/**
 * Remembers which ids belong to the same JID. The PUT of a slot names an id only, and quotas must count the uploader's other
 * ids too, such as that of another secret, or ejabberd's. If an uploader is not remembered, for example after a restart between
 * slot and PUT, only the one id counts.
 */
export class KnownUploaders {
  readonly #uploaderIds: UploaderIds;
  /** All ids of an uploader, by each of them. The latest are at the end. */
  readonly #known = new Map<string, readonly string[]>();

  constructor(uploaderIds: UploaderIds) {
    this.#uploaderIds = uploaderIds;
  }

  /** All known ids of the uploader whom a JID or an id names. */
  idsOf(uploader: string): readonly string[] {
    const known = this.#known.get(uploader);
    if (known !== undefined) return known;
    const ids = this.#uploaderIds.idsOf(uploader);
    // A single id does not tell the others.
    if (ids.length > 1) this.#remember(ids);
    return ids;
  }

  #remember(ids: readonly string[]): void {
    for (const id of ids) {
      this.#known.delete(id);
      this.#known.set(id, ids);
    }
    for (const id of this.#known.keys()) {
      if (this.#known.size <= maxIds) return;
      this.#known.delete(id);
    }
  }
}
