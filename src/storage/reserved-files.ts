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

/** The call's result, `undefined` where the file or folder is gone. */
async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The files below one folder of the reserved one, in bounded memory; one that goes meanwhile may be missing. */
export async function* filesBelow(storeDir: string, folder: string): AsyncIterable<ReservedFile> {
  const entries = await unlessGone(opendir(path.join(storeDir, reservedFolder, folder), { recursive: true }));
  for await (const entry of entries ?? []) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const stats = await unlessGone(lstat(file));
    if (stats !== undefined) yield { file, mtimeMs: stats.mtimeMs };
  }
}
