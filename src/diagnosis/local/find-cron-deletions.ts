import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Problem } from '../finding.js';

/** Files with a job on each line, or folders of such files. */
const tables = ['etc/crontab', 'etc/cron.d', 'var/spool/cron', 'var/spool/cron/crontabs'];
/** Folders of scripts. */
const scripts = ['etc/cron.hourly', 'etc/cron.daily', 'etc/cron.weekly', 'etc/cron.monthly'];

const maxBytes = 1024 * 1024;
const deletes = /\brm\b|-delete\b/;

/** The file at this path, or the files in the folder there, if this user may read them. */
async function readFiles(place: string): Promise<{ file: string; text: string }[]> {
  const names = await readdir(place).then(
    (found) => found.map((name) => path.join(place, name)),
    () => [place],
  );
  const read = async (file: string) => {
    const stats = await stat(file);
    return stats.isFile() && stats.size <= maxBytes ? [{ file, text: await readFile(file, 'utf8') }] : [];
  };
  return (await Promise.all(names.map((file) => read(file).catch(() => [])))).flat();
}

/** Whether the text names one of the folders; `/srv/upload-old` does not name `/srv/upload`. */
function names(text: string, folders: readonly string[]): boolean {
  return folders.some((folder) =>
    text
      .split(folder)
      .slice(1)
      .some((rest) => !/^[\w.-]/.test(rest)),
  );
}

/**
 * The files by which cron may delete in storeDir: those that name the folder together with `rm` or `-delete`, if this user
 * may read them. The system's folders are below `root`.
 */
export async function findCronDeletions(storeDir: string, root = '/'): Promise<string[]> {
  const folders = [storeDir, await realpath(storeDir).catch(() => storeDir)];
  const isDeletion = (text: string) => deletes.test(text) && names(text, folders);
  const linesOf = (text: string) => text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
  const found: string[] = [];
  for (const { file, text } of (await Promise.all(tables.map((name) => readFiles(path.join(root, name))))).flat()) {
    if (linesOf(text).some(isDeletion)) found.push(file);
  }
  for (const { file, text } of (await Promise.all(scripts.map((name) => readFiles(path.join(root, name))))).flat()) {
    if (isDeletion(linesOf(text).join('\n'))) found.push(file);
  }
  return found;
}

/** What such a file does to the store, and what to do about it. */
export function explainCronDeletion(storeDir: string, file: string): Problem {
  const risk = 'If it removes .prosody-filer, uploads lose their types and expiries, and old slots can be used again.';
  return {
    found: `${file} seems to delete files in ${storeDir}. ${risk}`,
    change: `Remove that line from ${file}, and set expiresAfter.`,
  };
}
