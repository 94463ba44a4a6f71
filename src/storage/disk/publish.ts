import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { type Flusher, settleAll } from './flusher.js';
import { ensureFolders, removeFolders } from './folders.js';

const tries = 3;

/** Links the file; resolves to the folders that got a new entry. Adds the folders that it makes to `made`. */
async function linkTo(
  target: string,
  { file, storeDir, key, dirMode }: Publication,
  made: string[],
): Promise<Set<string>> {
  const segments = key.split('/').slice(0, -1);
  const changed = new Set([path.dirname(target)]);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const folders = await ensureFolders(storeDir, segments, dirMode);
      made.push(...folders.made);
      for (const folder of folders.changed) changed.add(folder);
      await disk.link(file, target);
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
  /** Called once the file is linked. If it throws, the link is removed. */
  confirm(): Promise<void>;
}

/**
 * Links a complete file to its place in the tree, making the folders on the way; never replaces anything.
 * A durable publication has flushed every folder that it changed. Throws `KEY_TAKEN`, the system's error (`EEXIST`) or what
 * `confirm` throws; then nothing is published, and no folder that it made is left, unless others use it.
 */
export async function publish(publication: Publication): Promise<void> {
  const target = path.join(publication.storeDir, publication.key);
  const made: string[] = [];
  let isLinked = false;
  try {
    const changed = await linkTo(target, publication, made);
    isLinked = true;
    await settleAll([publication.flusher?.flush(changed), publication.confirm()]);
  } catch (error) {
    if (isLinked) await disk.unlink(target);
    await removeFolders(made);
    throw error;
  }
}
