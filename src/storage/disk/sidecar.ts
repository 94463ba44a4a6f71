/*
 * The facts that a path cannot tell (a type other than its extension's, an expiry, an uploader, a purpose) are in a sidecar:
 *
 *   storeDir/.prosody-filer/sidecars/<first 2 hex>/<64 hex>      {"version":1,"key":…,"contentType":…,…}
 *
 * The name is the SHA-256 of key NUL size NUL mtime (s), and the upload's mtime is set to that whole second. So a sidecar
 * belongs to exactly one content: the sidecar of a file that somebody put there by hand, or of another PUT in a race, has
 * another name. A file whose mtime has a fraction of a second has no sidecar, and costs no look-up. A sidecar is created
 * exclusively, and before its upload is published.
 */
import { createHash, randomInt } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, systemErrorCode } from '../../errors.js';
import { inBatches } from '../../in-batches.js';
import { hourMs } from '../../units.js';
import { servableType } from '../../upload/content-type.js';
import { factsOfKey } from '../../upload/facts-of-key.js';
import { isPurpose } from '../../upload/purpose.js';
import { reservedFolder, type UploadKey } from '../../upload/upload-key.js';
import type { UploaderFilter } from '../../upload/uploader.js';
import type { ReportUnreadable, UploadFacts } from '../store.js';
import { disk } from './disk-calls.js';
import { ensureFolders, removeFolders } from './folders.js';
import { isGone, passOver } from './pass-over.js';
import { formatNote, isTime, NoteError, readNote } from './read-note.js';
import { filesBelow } from './reserved-files.js';

/** The facts in a sidecar. */
export type SidecarFacts = Omit<UploadFacts, 'size'>;

const folder = 'sidecars';
/** Enough for two thousand racing uploads to find a free second each. */
const maxTries = 12;
const youngMs = hourMs;
/** So many sidecars are read at the same time. */
const readsAtOnce = 32;

/** Reads a sidecar; `undefined` if it does not exist. Throws a `NoteError` for one that `write` would not have written. */
async function readSidecar(file: string) {
  const note = await readNote(file);
  if (note === undefined) return undefined;
  const { key, contentType, expiresAt, uploader, purpose } = note;
  if (typeof contentType !== 'string' || servableType(contentType) !== contentType) {
    throw new NoteError('its contentType is not a media type');
  }
  if (expiresAt !== undefined && !isTime(expiresAt)) throw new NoteError('its expiresAt is not a time');
  if (purpose !== undefined && !isPurpose(purpose)) throw new NoteError('its purpose is unknown');
  return { key, facts: { contentType, expiresAt, uploader, purpose } };
}

function sidecarName(key: UploadKey, size: number, mtimeSeconds: number): string {
  return createHash('sha256').update(`${key}\0${size}\0${mtimeSeconds}`).digest('hex');
}

/** The path of a sidecar below storeDir. */
function segmentsOf(name: string): string[] {
  return [reservedFolder, folder, name.slice(0, 2), name];
}

/** A sidecar that was written and not flushed yet. */
export interface WrittenSidecar {
  /** The mtime that its file must get. */
  readonly mtimeSeconds: number;
  /** The sidecar and the folders that got a new entry. */
  readonly changedPaths: readonly string[];
}

async function createFile(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'EEXIST' && code !== 'ENOENT') await rm(file, { force: true });
    throw error;
  }
}

/** The sidecars of one store, below its reserved folder. */
export class SidecarFolder {
  /** Its absolute path. */
  readonly folder: string;
  readonly #storeDir: string;
  readonly #jidInUrlDomain: string | undefined;
  /** Folders that were found, with entries that were flushed long ago. Looking again at each upload would take six calls. */
  readonly #oldFolders = new Set<string>();

  /** `jidInUrlDomain`: the domain of ejabberd's users, if their names are in the keys. */
  constructor(storeDir: string, jidInUrlDomain: string | undefined) {
    this.#storeDir = storeDir;
    this.#jidInUrlDomain = jidInUrlDomain;
    this.folder = path.join(storeDir, reservedFolder, folder);
  }

  /** The facts of an upload without a sidecar. */
  factsWithout(key: UploadKey): SidecarFacts {
    return factsOfKey(key, this.#jidInUrlDomain);
  }

  /** Whether the upload has facts that its key does not tell. */
  areNeeded(key: UploadKey, { contentType, expiresAt, uploader, purpose }: SidecarFacts): boolean {
    const known = this.factsWithout(key);
    if (contentType !== known.contentType || uploader !== known.uploader) return true;
    return expiresAt !== undefined || purpose !== undefined;
  }

  #pathOf(key: UploadKey, size: number, mtimeSeconds: number): string {
    return path.join(this.#storeDir, ...segmentsOf(sidecarName(key, size, mtimeSeconds)));
  }

  /**
   * Writes a sidecar for a file of this size, whose mtime will be `nowSeconds` at most; it is not flushed. `requireFree` throws if another upload has the key by now. Throws `STORE_BUSY` after too many tries.
   */
  async write(
    key: UploadKey,
    size: number,
    nowSeconds: number,
    facts: SidecarFacts,
    requireFree: () => Promise<void>,
  ): Promise<WrittenSidecar> {
    const text = formatNote({ key, ...facts });
    for (let attempt = 0; attempt < maxTries; attempt += 1) {
      // Each try chooses among twice as many seconds. Going back one by one, n racing uploads would need n² tries. They are
      // even, since FAT keeps no others.
      const mtimeSeconds = 2 * (Math.floor(nowSeconds / 2) - randomInt(2 ** attempt));
      try {
        return { mtimeSeconds, changedPaths: await this.#create(sidecarName(key, size, mtimeSeconds), text) };
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw error;
        await requireFree();
      }
    }
    throw new FilerError('STORE_BUSY', 'too many uploads of this slot are running');
  }

  /** Resolves to the new file and the folders that got a new entry. */
  async #create(name: string, text: string): Promise<string[]> {
    const segments = segmentsOf(name);
    const file = path.join(this.#storeDir, ...segments);
    const folder = path.dirname(file);
    if (this.#oldFolders.has(folder)) {
      try {
        await createFile(file, text);
        return [file, folder];
      } catch (error) {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
        this.#oldFolders.delete(folder);
      }
    }
    const { made, changed } = await ensureFolders(this.#storeDir, segments.slice(0, -1), 0o700);
    try {
      await createFile(file, text);
    } catch (error) {
      await removeFolders(made);
      throw error;
    }
    if (changed.length === 0) this.#oldFolders.add(folder);
    return [file, folder, ...changed];
  }

  /**
   * The facts in the sidecar of a file with this size and mtime (ms); `undefined` if no sidecar for them can be read.
   * The system's errors are reported, or thrown without `report`.
   */
  async read(
    key: UploadKey,
    size: number,
    mtimeMs: number,
    report?: ReportUnreadable,
  ): Promise<SidecarFacts | undefined> {
    if (mtimeMs % 1000 !== 0) return undefined;
    const file = this.#pathOf(key, size, mtimeMs / 1000);
    try {
      return (await readSidecar(file))?.facts;
    } catch (error) {
      if (report !== undefined) passOver(file, error, report);
      else if (!(error instanceof NoteError)) throw error;
      return undefined;
    }
  }

  /**
   * Removes the sidecars of uploads that are gone, and reports those that cannot be read. Young ones stay, since their upload
   * may be about to be published.
   */
  async tidy(report: ReportUnreadable): Promise<void> {
    for await (const { file, mtimeMs } of filesBelow(this.#storeDir, folder, report)) {
      if (Date.now() - mtimeMs > youngMs) await this.#tidyOne(file).catch((error) => passOver(file, error, report));
    }
  }

  async #tidyOne(file: string): Promise<void> {
    if (!(await this.#describesAFile(file))) await rm(file, { force: true });
  }

  /**
   * The keys of the uploads that are this uploader's by their sidecar only. Their own paths name nobody. Reports sidecars that
   * cannot be read.
   */
  async *keysOf(
    { includes }: UploaderFilter,
    report: ReportUnreadable,
    signal?: AbortSignal,
  ): AsyncGenerator<UploadKey> {
    for await (const files of inBatches(filesBelow(this.#storeDir, folder, report), readsAtOnce)) {
      if (signal?.aborted === true) return;
      const keys = files.map(({ file }) =>
        this.#keyOf(file, includes).catch((error: unknown) => passOver(file, error, report)),
      );
      for (const key of await Promise.all(keys)) if (key !== undefined) yield key;
    }
  }

  async #keyOf(file: string, includes: UploaderFilter['includes']): Promise<UploadKey | undefined> {
    const sidecar = await readSidecar(file);
    if (sidecar === undefined || this.factsWithout(sidecar.key).uploader !== undefined) return undefined;
    return includes(sidecar.facts.uploader) && (await this.#describesAFile(file)) ? sidecar.key : undefined;
  }

  async #describesAFile(file: string): Promise<boolean> {
    try {
      const sidecar = await readSidecar(file);
      if (sidecar === undefined) return false;
      const { size, mtimeMs } = await disk.lstat(path.join(this.#storeDir, sidecar.key));
      return sidecarName(sidecar.key, size, mtimeMs / 1000) === path.basename(file);
    } catch (error) {
      if (isGone(error) || (error instanceof NoteError && error.isCutOff)) return false;
      throw error;
    }
  }

  /** Removes the sidecar of a file with this size and mtime (ms), if there is one. */
  async remove(key: UploadKey, size: number, mtimeMs: number): Promise<void> {
    if (mtimeMs % 1000 === 0) await rm(this.#pathOf(key, size, mtimeMs / 1000), { force: true });
  }
}
