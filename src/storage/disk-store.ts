/*
 * Uploads as the plain tree storeDir/<key> that the original wrote and that nginx can read:
 *
 *   put:  temporary file → sidecar and mtime → flush → folders → hard link to storeDir/<key> → flush the folders
 *
 * The link publishes an upload: it is atomic and, unlike a rename, never replaces. Whatever fails before leaves nothing
 * visible. Below storeDir no symbolic link is followed, neither for reading nor for writing.
 */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { FilerError, systemErrorCode } from '../errors.js';
import { factsOfKey } from '../upload/facts-of-key.js';
import type { UploadKey } from '../upload/upload-key.js';
import { BufferPool } from './buffer-pool.js';
import { disk } from './disk-calls.js';
import { describeDiskError } from './disk-errors.js';
import { removeEmptyFolders } from './folders.js';
import { listUploads } from './list-uploads.js';
import { openUpload } from './open-upload.js';
import { publish } from './publish.js';
import { receiveBody } from './receive-body.js';
import { SidecarFolder } from './sidecar.js';
import type {
  DeletedUpload,
  IncomingUpload,
  ListedUpload,
  ListOptions,
  Store,
  StoredFacts,
  StoredUpload,
  TidyOptions,
} from './store.js';
import { TemporaryFolder } from './temporary-folder.js';
import { TombstoneFolder } from './tombstone.js';

/** How the disk store writes. */
export interface DiskStoreOptions {
  /** An existing folder, as an absolute path without symbolic links. */
  readonly storeDir: string;
  /** Whether an upload must survive a power failure before `put` resolves. */
  readonly isDurable: boolean;
  /** Bytes that must stay free on the filesystem; `put` leaves that to its caller, who knows of all running uploads. */
  readonly minFreeSpace?: number;
  /** How long the slot of a deleted upload stays taken, in ms. */
  readonly replayWindowMs?: number;
  /** Mode of an upload whatever the umask, 0644 less the umask if not set. */
  readonly fileMode?: number | undefined;
  /** Mode of the folders above it whatever the umask, 0755 less the umask if not set. */
  readonly dirMode?: number | undefined;
  /** Takes what the operator should know of a call that succeeds all the same, one line each. */
  readonly warn?: (message: string) => void;
}

const smallBytes = 64 * 1024;
const spaceCheckBytes = 1024 * 1024;
/** A block, so that a full filesystem has none for it. */
const checkBytes = 4096;

/** What the call resolves to; throws for the system's errors what a store throws. */
async function describingErrors<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw describeDiskError(error);
  }
}

/** A store on a filesystem with hard links. */
export class DiskStore implements Store {
  readonly #options: DiskStoreOptions;
  readonly #sidecars: SidecarFolder;
  readonly #temporary: TemporaryFolder;
  readonly #tombstones: TombstoneFolder;
  readonly #pool = new BufferPool();

  constructor(options: DiskStoreOptions) {
    this.#options = options;
    this.#sidecars = new SidecarFolder(options.storeDir, options.isDurable);
    this.#temporary = new TemporaryFolder(options.storeDir);
    this.#tombstones = new TombstoneFolder(
      options.storeDir,
      options.replayWindowMs ?? 0,
      options.warn ?? (() => undefined),
    );
  }

  /**
   * Removes the temporary files of dead processes, and those of other hosts that nothing has touched for this many ms;
   * resolves to what could not be removed and why, a line each.
   */
  removeLeftOvers(untouchedMs: number): Promise<string[]> {
    return this.#temporary.removeLeftOvers(untouchedMs);
  }

  put(key: UploadKey, upload: IncomingUpload): Promise<void> {
    return describingErrors(async () => {
      // A small body that is on its way already is rather taken: linking it finds out at no cost.
      if (upload.size > smallBytes || upload.isHeldBack === true) await this.#requireFree(key);
      await this.#requireSpace(upload.size);
      const temporary = await this.#temporary.create();
      try {
        await this.#fillAndPublish(temporary.fd, temporary.path, key, upload);
      } finally {
        // What stays behind goes at the next start: that changes nothing for the upload.
        await disk.unlink(temporary.path).catch(() => undefined);
      }
    });
  }

  open(key: UploadKey): Promise<StoredUpload | undefined> {
    return describingErrors(() => openUpload(this.#pathOf(key), key, this.#sidecars, this.#pool));
  }

  async delete(
    key: UploadKey,
    isMeant: (facts: StoredFacts) => boolean = () => true,
  ): Promise<DeletedUpload | undefined> {
    const upload = await this.open(key);
    if (upload === undefined) return undefined;
    upload.close();
    if (!isMeant(upload)) return undefined;
    const { size, uploader, modifiedAt } = upload;
    const deleted = { key, size, uploader, modifiedAt };
    const isRemoved = await describingErrors(() => this.#tombstones.bury(deleted, () => this.#remove(deleted)));
    return isRemoved ? deleted : undefined;
  }

  async *list({ onUnreadable: report = () => undefined }: ListOptions = {}): AsyncGenerator<ListedUpload> {
    try {
      yield* listUploads({ storeDir: this.#options.storeDir, sidecars: this.#sidecars, report });
    } catch (error) {
      throw describeDiskError(error);
    }
  }

  freeBytes(): Promise<number> {
    return describingErrors(async () => {
      const { bavail, bsize } = await disk.statfs(this.#options.storeDir);
      return bavail * bsize;
    });
  }

  check(): Promise<void> {
    return describingErrors(async () => {
      await access(this.#options.storeDir, constants.W_OK);
      await this.#requireSpace(checkBytes, this.#options.minFreeSpace);
      const { fd, path: file } = await this.#temporary.create();
      try {
        await receiveBody(Readable.from([Buffer.alloc(checkBytes)]), fd, checkBytes);
        if (this.#options.isDurable) await disk.fdatasync(fd);
      } finally {
        await disk.close(fd);
        await disk.unlink(file);
      }
    });
  }

  wasDeleted(key: UploadKey): Promise<boolean> {
    return describingErrors(() => this.#tombstones.holds(key));
  }

  async *tidy({ onUnreadable: report = () => undefined }: TidyOptions = {}): AsyncGenerator<DeletedUpload> {
    try {
      yield* this.#tombstones.tidy(report);
      await this.#sidecars.tidy(report);
    } catch (error) {
      throw describeDiskError(error);
    }
  }

  /** Whether the upload was there. */
  async #remove({ key, size, modifiedAt }: DeletedUpload): Promise<boolean> {
    try {
      await disk.unlink(this.#pathOf(key));
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw error;
    }
    // A sidecar that cannot be removed is no reason to fail: the upload is gone, and a sweep reports what is odd there.
    await this.#sidecars.remove(key, size, modifiedAt).catch(() => undefined);
    await removeEmptyFolders(this.#options.storeDir, path.dirname(this.#pathOf(key)));
    return true;
  }

  #pathOf(key: UploadKey): string {
    return path.join(this.#options.storeDir, key);
  }

  async #requireFree(key: UploadKey): Promise<void> {
    try {
      await disk.lstat(this.#pathOf(key));
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      return this.#requireUndeleted(key);
    }
    throw new FilerError('KEY_TAKEN', 'the upload exists');
  }

  async #requireUndeleted(key: UploadKey): Promise<void> {
    if (await this.#tombstones.holds(key)) {
      throw new FilerError('KEY_TAKEN', 'an upload of this slot was deleted (replayWindow)');
    }
  }

  /** Refuses what cannot fit before its bytes are sent; a small one is rather tried. */
  async #requireSpace(size: number, reserve = 0): Promise<void> {
    if (size < spaceCheckBytes && reserve === 0) return;
    const free = await this.freeBytes();
    if (free >= size + reserve) return;
    const kept = reserve === 0 ? '' : ` of which ${reserve} must stay so (minFreeSpace)`;
    throw new FilerError('STORE_FULL', `${size} bytes do not fit: ${free} are free${kept}`);
  }

  async #fillAndPublish(fd: number, file: string, key: UploadKey, upload: IncomingUpload): Promise<void> {
    const { storeDir, isDurable, fileMode } = this.#options;
    let sidecarMtimeMs: number | undefined;
    try {
      try {
        if (fileMode !== undefined) await disk.fchmod(fd, fileMode);
        await receiveBody(upload.openBody(), fd, upload.size);
        sidecarMtimeMs = await this.#writeSidecar(key, upload);
        if (sidecarMtimeMs !== undefined) await disk.futimes(fd, sidecarMtimeMs / 1000, sidecarMtimeMs / 1000);
        // fdatasync leaves out the mtime, which a sidecar is bound to.
        if (isDurable) await (sidecarMtimeMs === undefined ? disk.fdatasync(fd) : disk.fsync(fd));
      } finally {
        await disk.close(fd);
      }
      await publish(file, storeDir, key, this.#options);
      await this.#requireUndeleted(key).catch(async (error: unknown) => {
        await disk.unlink(this.#pathOf(key));
        await removeEmptyFolders(storeDir, path.dirname(this.#pathOf(key)));
        throw error;
      });
    } catch (error) {
      if (sidecarMtimeMs !== undefined) await this.#sidecars.remove(key, upload.size, sidecarMtimeMs);
      throw error;
    }
  }

  /** Writes what the path does not say, if anything; resolves to the mtime (ms) that binds it to the file. */
  async #writeSidecar(key: UploadKey, { size, contentType, expiresAt, uploader }: IncomingUpload) {
    const known = factsOfKey(key);
    if (contentType === known.contentType && expiresAt === undefined && uploader === known.uploader) return undefined;
    const nowSeconds = Math.floor(Date.now() / 1000);
    return 1000 * (await this.#sidecars.write(key, size, nowSeconds, { contentType, expiresAt, uploader }));
  }
}
