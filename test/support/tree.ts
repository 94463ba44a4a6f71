import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** Every file in a store, its own bookkeeping and temporary files too, as sorted relative paths. */
export async function filesIn(storeDir: string): Promise<string[]> {
  const entries = await readdir(storeDir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => path.relative(storeDir, path.join(entry.parentPath, entry.name))).sort();
}
