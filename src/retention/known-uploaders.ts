import type { UploaderIds } from '../upload/uploader.js';

/** Of 15,000 uploaders with one secret, of 10,000 with two: about 4 MiB. */
const maxIds = 30_000;

/**
 * Remembers which ids belong to one JID that was asked about. The PUT of a slot names an id only, and quotas must count the
 * uploader's other ids too (another secret, ejabberd's). Of an uploader that is not remembered, such as after a restart
 * between slot and PUT, the id counts alone.
 */
export class KnownUploaders {
  readonly #uploaderIds: UploaderIds;
  /** All ids of the uploader, by each of them; the latest at the end. */
  readonly #known = new Map<string, readonly string[]>();

  constructor(uploaderIds: UploaderIds) {
    this.#uploaderIds = uploaderIds;
  }

  /** All ids of the uploader whom a JID or an id names, as far as they are known. */
  idsOf(uploader: string): readonly string[] {
    const known = this.#known.get(uploader);
    if (known !== undefined) return known;
    const ids = this.#uploaderIds.idsOf(uploader);
    // An id alone says nothing of others.
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
