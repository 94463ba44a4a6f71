import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';

/**
 * Gives a folder and those below it, down to this depth, the time of now. So a cron job that removes old folders, such as the
 * one in the README of the original prosody-filer, spares the bookkeeping. Folders that cannot be touched are left as they are.
 */
export async function touchFolders(folder: string, depth: number): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => undefined);
  if (depth === 0) return;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await touchFolders(path.join(folder, entry.name), depth - 1);
}
