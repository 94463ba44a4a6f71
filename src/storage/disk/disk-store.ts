/*
 * Uploads as the plain tree storeDir/<key>, as the original prosody-filer wrote it. nginx can serve it.
 *
 *   put:  temporary file → hard link to storeDir/<key> (write-upload.ts)
 *
 * The link publishes an upload. It is atomic and, unlike a rename, never replaces a file. If a put fails before, nothing is
 * visible. Where there are no hard links, rename-exclusively.ts publishes. The store follows no symbolic link below storeDir,
 * neither to read nor to write.
 */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { FilerError } from '../../errors.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type {
  DeletedUpload,
  DeleteOptions,
  FreeSpace,
  IncomingUpload,
  ListOptions,
  ServedStore,
  StoredFacts,
  StoredUpload,
  TidyOptions,
  TombstonePhase,
} from '../store.js';
import { BufferPool } from './buffer-pool.js';
import { disk, findStats } from './disk-calls.js';
import { describeDiskError, describingErrors } from './disk-errors.js';
import { Flusher } from './flusher.js';
import { listUploads, listUploadsOf } from './list-uploads.js';
import { type Downloads, openUpload } from './open-upload.js';
import { receiveBody } from './receive-body.js';
import { RecentFiles } from './recent-files.js';
import { flushRemoval, removeUpload } from './removal.js';
import { removeStaleClaims } from './rename-exclusively.js';
import { SidecarFolder } from './sidecar.js';
import { TemporaryFolder } from './temporary-folder.js';
import { TombstoneFolder } from './tombstone.js';
import { touchFolders } from './touch-folders.js';
import { type Destination, writeUpload } from './write-upload.js';

/** How the disk store works. */
export interface DiskStoreOptions {
  /** An existing folder, as an absolute path without symbolic links. */
  readonly storeDir: string;
  /** Whether an upload or its deletion must survive a power failure before `put` or `delete` resolves. */
  readonly isDurable: boolean;
  /** Bytes that must stay free for `check` to succeed. `put` does not look: its caller knows of all running uploads. */
  readonly minFreeSpace?: number;
  /** The phase of a tombstone by its age in ms. Not set: deletions leave no tombstones. */
  readonly tombstonePhase?: (ageMs: number) => TombstonePhase;
  /** Mode of an upload, whatever the umask. Not set: 0644 less the umask. */
  readonly fileMode?: number | undefined;
  /** Mode of an upload's folders, whatever the umask. Not set: 0755 less the umask. */
  readonly dirMode?: number | undefined;
  /** The domain of ejabberd's users, if their names are in the keys. */
  readonly jidInUrlDomain?: string | undefined;
  /** Takes warnings for the operator, one line each, about calls that succeed all the same. */
  readonly warn?: (message: string) => void;
}

const smallBytes = 64 * 1024;
const spaceCheckBytes = 1024 * 1024;
/** A block: a full filesystem has no room for it. */
const checkBytes = 4096;

/** PATH_MAX of Linux, without the NUL at its end. */
const maxPathBytes = 4095;

/** A store in a folder. */
export class DiskStore implements ServedStore, FreeSpace {
  readonly #options: DiskStoreOptions;
  readonly #flusher: Flusher | undefined;
  readonly #sidecars: SidecarFolder;
  readonly #temporary: TemporaryFolder;
  readonly #tombstones: TombstoneFolder;
  readonly #destination: Destination;
  readonly #downloads: Downloads;

  constructor(options: DiskStoreOptions) {
    this.#options = options;
    this.#flusher = options.isDurable ? new Flusher() : undefined;
    this.#sidecars = new SidecarFolder(options.storeDir, options.jidInUrlDomain);
    this.#temporary = new TemporaryFolder(options.storeDir);
    this.#downloads = { sidecars: this.#sidecars, recentFiles: new RecentFiles(), pool: new BufferPool() };
    this.#destination = {
      ...options,
      flusher: this.#flusher,
      sidecars: this.#sidecars,
      temporary: this.#temporary,
      requireFree: (key) => this.#requireFree(key),
      requireUndeleted: (key) => this.#requireUndeleted(key),
    };
    this.#tombstones = new TombstoneFolder(
      options.storeDir,
      options.tombstonePhase ?? (() => 'removable'),
      options.warn ?? (() => undefined),
    );
  }

  /**
   * Removes the temporary files of dead processes, and those of other hosts that were not touched for so many ms; resolves to
   * a line for each that it could not remove.
   */
  removeLeftOvers(untouchedMs: number): Promise<string[]> {
    return this.#temporary.removeLeftOvers(untouchedMs);
  }

  /** Gives the folders of the bookkeeping the time of now, so that a cron job that removes old folders spares them. */
  async touchFolders(): Promise<void> {
    const reserved = path.join(this.#options.storeDir, reservedFolder);
    await touchFolders(reserved, 0);
    await this.#temporary.touch();
    for (const notes of [this.#sidecars, this.#tombstones]) await touchFolders(notes.folder, 1);
  }

  put(key: UploadKey, upload: IncomingUpload): Promise<void> {
    return describingErrors(async () => {
      this.#requireFitting(key);
      // A small body that has arrived and needs no sidecar is just written: its hard link fails if the key is taken.
      const isCheap = upload.size <= smallBytes && upload.isAwaited !== true && !this.#sidecars.areNeeded(key, upload);
      if (!isCheap) await this.#requireFree(key);
      if (upload.isRoomMade !== true) await this.#requireSpace(upload.size);
      const temporary = await this.#temporary.create();
      try {
        await writeUpload(this.#destination, temporary, key, upload);
      } catch (error) {
        await this.#temporary.remove(temporary);
        throw error;
      }
      // The upload is published. Nobody has to wait until its temporary name is gone too.
      void this.#temporary.remove(temporary);
    });
  }

  open(key: UploadKey): Promise<StoredUpload | undefined> {
    return describingErrors(() => openUpload(this.#pathOf(key), key, this.#downloads));
  }

  async delete(key: UploadKey, { isRepeated = false }: DeleteOptions = {}): Promise<DeletedUpload | undefined> {
    const flusher = isRepeated ? undefined : this.#flusher;
    const upload = await this.open(key);
    upload?.close();
    return describingErrors(async () => {
      const deleted = upload && (await this.#bury(key, upload, flusher));
      // If it was gone already, whoever removed it may not have flushed that.
      if (flusher !== undefined) await flushRemoval(flusher, this.#options.storeDir, key);
      return deleted;
    });
  }

  async *list({ onUnreadable: report = () => undefined, of, signal }: ListOptions = {}) {
    const walk = { storeDir: this.#options.storeDir, sidecars: this.#sidecars, report, signal };
    try {
      yield* of === undefined ? listUploads(walk) : listUploadsOf(of, walk);
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
      await this.touchFolders();
      yield* this.#tombstones.tidy(report);
      await this.#sidecars.tidy(report);
      await removeStaleClaims(this.#options.storeDir, report);
      // A process that was killed may still have been ending at the last start. Only starts judge those of other hosts.
      await this.removeLeftOvers(Number.POSITIVE_INFINITY);
    } catch (error) {
      throw describeDiskError(error);
    }
  }

  /** `undefined` if the upload was gone. */
  async #bury(
    key: UploadKey,
    { size, uploader, modifiedAt }: StoredFacts,
    flusher: Flusher | undefined,
  ): Promise<DeletedUpload | undefined> {
    const deleted = { key, size, uploader, modifiedAt };
    const remove = () => {
      this.#downloads.recentFiles.forget(this.#pathOf(key));
      return removeUpload(this.#options.storeDir, this.#sidecars, deleted);
    };
    return (await this.#tombstones.bury(deleted, remove, flusher)) ? deleted : undefined;
  }

  #pathOf(key: UploadKey): string {
    return path.join(this.#options.storeDir, key);
  }

  /** Refuses a path that is too long for system calls, before any of its folders is made. */
  #requireFitting(key: UploadKey): void {
    const bytes = Buffer.byteLength(this.#pathOf(key));
    if (bytes <= maxPathBytes) return;
    const found = `with storeDir it has ${bytes} bytes, at most ${maxPathBytes} are possible`;
    throw new FilerError('NAME_TOO_LONG', `the path is too long for the filesystem: ${found}`);
  }

  async #requireFree(key: UploadKey): Promise<void> {
    if ((await findStats(this.#pathOf(key))) !== undefined) throw new FilerError('KEY_TAKEN', 'the upload exists');
    await this.#requireUndeleted(key);
  }

  async #requireUndeleted(key: UploadKey): Promise<void> {
    if (await this.#tombstones.holds(key)) {
      throw new FilerError('KEY_TAKEN', 'an upload of this slot was deleted (replayWindow)');
    }
  }

  /** Refuses a large upload that cannot fit, before its bytes are sent. A small one is just tried. */
  async #requireSpace(size: number, reserve = 0): Promise<void> {
    if (size < spaceCheckBytes && reserve === 0) return;
    const free = await this.freeBytes();
    if (free >= size + reserve) return;
    const kept = reserve === 0 ? '' : `, and ${reserve} of them must stay free (minFreeSpace)`;
    throw new FilerError('STORE_FULL', `${size} bytes do not fit: ${free} are free${kept}`);
  }
}
