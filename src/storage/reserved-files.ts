import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { reservedFolder } from '../upload/upload-key.js';

/** A file of the store's own bookkeeping. */
export interface ReservedFile {
  /** Absolute path. */
  readonly file: string;
  readonly mtimeMs: number;
}

/** The files below one folder of the reserved one, in bounded memory; one that goes meanwhile may be missing. */
export async function* filesBelow(storeDir: string, folder: string): AsyncIterable<ReservedFile> {
  try {
    for await (const entry of await opendir(path.join(storeDir, reservedFolder, folder), { recursive: true })) {
      if (!entry.isFile()) continue;
      const file = path.join(entry.parentPath, entry.name);
      yield { file, mtimeMs: (await lstat(file)).mtimeMs };
    }
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
