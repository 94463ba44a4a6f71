/*
 * What a path cannot say of an upload (a type other than its extension's, an expiry, an uploader) stands in a sidecar:
 *
 *   storeDir/.prosody-filer/sidecars/<first 2 hex>/<64 hex>      {"version":1,"key":…,"contentType":…,…}
 *
 * The name is the SHA-256 of key NUL size NUL mtime (s), and the file's mtime is set to that whole second. So a sidecar
 * belongs to exactly one content: a file put there by hand, or a race's other PUT, has another name. A file whose mtime
 * has a fraction has none, and costs no look-up. Sidecars are created exclusively and before their file is published.
 */
import { createHash } from 'node:crypto';
import { lstat, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { servableType } from '../upload/content-type.js';
import { reservedFolder, type UploadKey } from '../upload/upload-key.js';
import { ensureFolders, syncFolders } from './folders.js';
import { filesBelow } from './reserved-files.js';
import type { UploadFacts } from './store.js';

/** What a sidecar adds to its file. */
export type SidecarFacts = Omit<UploadFacts, 'size'>;

const version = 1;
const folder = 'sidecars';
const youngMs = 60 * 60 * 1000;

function isSidecarFacts(value: unknown): value is SidecarFacts {
  if (typeof value !== 'object' || value === null) return false;
  const facts = value as Record<string, unknown>;
  const { contentType, expiresAt, uploader } = facts;
  return (
    facts['version'] === version &&
    typeof contentType === 'string' &&
    servableType(contentType) === contentType &&
    (expiresAt === undefined || typeof expiresAt === 'number') &&
    (uploader === undefined || typeof uploader === 'string')
  );
}

function sidecarName(key: UploadKey, size: number, mtimeSeconds: number): string {
  return createHash('sha256').update(`${key}\0${size}\0${mtimeSeconds}`).digest('hex');
}

/** Where a sidecar lies below storeDir. */
function segmentsOf(name: string): string[] {
  return [reservedFolder, folder, name.slice(0, 2), name];
}

/** The sidecars of one store, below its reserved folder. */
export class SidecarFolder {
  readonly #storeDir: string;
  readonly #isDurable: boolean;

  constructor(storeDir: string, isDurable: boolean) {
    this.#storeDir = storeDir;
    this.#isDurable = isDurable;
  }

  #pathOf(key: UploadKey, size: number, mtimeSeconds: number): string {
    return path.join(this.#storeDir, ...segmentsOf(sidecarName(key, size, mtimeSeconds)));
  }

  /** Writes a sidecar for a file of this size; resolves to the mtime (whole s, at most `nowSeconds`) to give that file. */
  async write(key: UploadKey, size: number, nowSeconds: number, facts: SidecarFacts): Promise<number> {
    const text = JSON.stringify({ version, key, ...facts });
    for (let mtimeSeconds = nowSeconds; ; mtimeSeconds -= 1) {
      try {
        await this.#create(sidecarName(key, size, mtimeSeconds), text);
        return mtimeSeconds;
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw error;
      }
    }
  }

  async #create(name: string, text: string): Promise<void> {
    const segments = segmentsOf(name);
    const changed = await ensureFolders(this.#storeDir, segments.slice(0, -1), 0o700);
    const file = path.join(this.#storeDir, ...segments);
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      if (this.#isDurable) await handle.datasync();
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    if (this.#isDurable) await syncFolders([path.dirname(file), ...changed]);
  }

  /** What the sidecar of a file with this size and mtime (ms) adds; `undefined` where there is none that can be read. */
  async read(key: UploadKey, size: number, mtimeMs: number): Promise<SidecarFacts | undefined> {
    if (mtimeMs % 1000 !== 0) return undefined;
    try {
      const facts: unknown = JSON.parse(await readFile(this.#pathOf(key, size, mtimeMs / 1000), 'utf8'));
      return isSidecarFacts(facts) ? facts : undefined;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Removes the sidecars of uploads that are gone, unless they are so young that their upload may be about to come. */
  async tidy(): Promise<void> {
    for await (const { file, mtimeMs } of filesBelow(this.#storeDir, folder)) {
      if (Date.now() - mtimeMs > youngMs && !(await this.#describesAFile(file))) await rm(file, { force: true });
    }
  }

  async #describesAFile(file: string): Promise<boolean> {
    try {
      const { key } = JSON.parse(await readFile(file, 'utf8'));
      const { size, mtimeMs } = await lstat(path.join(this.#storeDir, String(key)));
      return sidecarName(key, size, mtimeMs / 1000) === path.basename(file);
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT' || error instanceof SyntaxError) return false;
      throw error;
    }
  }

  /** Removes the sidecar of a file with this size and mtime (ms), if there is one. */
  async remove(key: UploadKey, size: number, mtimeMs: number): Promise<void> {
    if (mtimeMs % 1000 === 0) await rm(this.#pathOf(key, size, mtimeMs / 1000), { force: true });
  }
}
