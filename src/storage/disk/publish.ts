import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { type Flusher, settleAll } from './flusher.js';
import { ensureFolders, removeFolders } from './folders.js';
import { lacksHardLinks, renameExclusively } from './rename-exclusively.js';

const tries = 3;

/** Links the file to its place, or renames it if the filesystem has no hard links; resolves to the folders that this changes. */
async function place({ file, storeDir, key }: Publication): Promise<string[]> {
  const target = path.join(storeDir, key);
  try {
    await disk.link(file, target);
    return [path.dirname(target)];
  } catch (error) {
    if (!lacksHardLinks(error)) throw error;
    await renameExclusively(file, storeDir, key);
    return [path.dirname(target), path.dirname(file)];
  }
}

/** Places the file; resolves to the folders that got a new entry. Adds the folders that it makes to `made`. */
async function placeInFolders(publication: Publication, made: string[]): Promise<Set<string>> {
  const { storeDir, key, dirMode } = publication;
  const segments = key.split('/').slice(0, -1);
  const changed = new Set<string>();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const folders = await ensureFolders(storeDir, segments, dirMode);
      made.push(...folders.made);
      for (const folder of folders.changed) changed.add(folder);
      for (const folder of await place(publication)) changed.add(folder);
      return changed;
    } catch (error) {
      // A deletion, or another publication that failed, may have removed the empty folder in between.
      if (systemErrorCode(error) !== 'ENOENT' || attempt === tries) throw error;
    }
  }
}

/** A complete file, and where it becomes visible. */
export interface Publication {
  /** Its absolute path. */
  readonly file: string;
  readonly storeDir: string;
  readonly key: UploadKey;
  readonly dirMode?: number | undefined;
  /** Set if the publication must survive a power failure. */
  readonly flusher: Flusher | undefined;
  /** Called once the file is in its place. If it throws, the file is removed from there. */
  confirm(): Promise<void>;
}

/**
 * Puts a complete file in its place in the tree, making the folders on the way; never replaces an upload.
 * A durable publication has flushed every folder that it changed. Throws `KEY_TAKEN`, the system's error (`EEXIST`) or what
 * `confirm` throws; then nothing is published, and no folder that it made is left, unless others use it.
 */
export async function publish(publication: Publication): Promise<void> {
  const target = path.join(publication.storeDir, publication.key);
  const made: string[] = [];
  let isPlaced = false;
  try {
    const changed = await placeInFolders(publication, made);
    isPlaced = true;
    await settleAll([publication.flusher?.flush(changed), publication.confirm()]);
  } catch (error) {
    if (isPlaced) await disk.unlink(target);
    await removeFolders(made);
    throw error;
  }
}
