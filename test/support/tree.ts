import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** An upload is answered a moment before its temporary name is gone. */
const settlingMs = 200;

async function readFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name))).sort();
}

/**
 * Every file in a store, its own bookkeeping and temporary files too, as sorted relative paths. Gives temporary files a moment
 * to disappear, and reads again if a folder was removed meanwhile.
 */
export async function filesIn(storeDir: string): Promise<string[]> {
  const endsAt = performance.now() + settlingMs;
  for (;;) {
    const isLast = performance.now() > endsAt;
    try {
      const files = await readFiles(storeDir);
      if (isLast || !files.some((file) => file.startsWith('.prosody-filer/temporary/'))) return files;
    } catch (error) {
      if (isLast || (error as NodeJS.ErrnoException).path === storeDir) throw error;
    }
    await wait(20);
  }
}
