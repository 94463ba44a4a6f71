import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import path from 'node:path';
import { reservedFolder } from '../../upload/upload-key.js';
import type { ReportUnreadable } from '../store.js';
import { disk } from './disk-calls.js';
import { passOver } from './pass-over.js';
import { NoteError } from './read-note.js';

/** A file of the bookkeeping. */
export interface ReservedFile {
  /** Absolute path. */
  readonly file: string;
  readonly mtimeMs: number;
}

/** Reports everything that is not a plain file. */
async function describe(file: string, entry: Dirent, report: ReportUnreadable): Promise<ReservedFile | undefined> {
  try {
    if (entry.isFile()) return { file, mtimeMs: (await disk.lstat(file)).mtimeMs };
    throw new NoteError('it is not a plain file');
  } catch (error) {
    passOver(file, error, report);
    return undefined;
  }
}

async function* walk(folder: string, report: ReportUnreadable): AsyncGenerator<ReservedFile> {
  try {
    for await (const entry of await opendir(folder)) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) {
        yield* walk(file, report);
        continue;
      }
      const found = await describe(file, entry, report);
      if (found !== undefined) yield found;
    }
  } catch (error) {
    passOver(folder, error, report);
  }
}

/**
 * Lists the files below a folder in the reserved folder, in bounded memory. It reports what cannot be read and goes on. Files
 * that are removed meanwhile may be missing.
 */
export function filesBelow(storeDir: string, folder: string, report: ReportUnreadable): AsyncGenerator<ReservedFile> {
  return walk(path.join(storeDir, reservedFolder, folder), report);
}
