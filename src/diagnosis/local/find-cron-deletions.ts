import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

/** Files of which each line is a job, or folders of such. */
const tables = ['etc/crontab', 'etc/cron.d', 'var/spool/cron', 'var/spool/cron/crontabs'];
/** Folders of scripts. */
const scripts = ['etc/cron.hourly', 'etc/cron.daily', 'etc/cron.weekly', 'etc/cron.monthly'];

const maxBytes = 1024 * 1024;
const deletes = /\brm\b|-delete\b/;

/** A file itself, or those in a folder, as far as this user may read them. */
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

/** Whether the text names one of the folders: not one beside it whose name only begins alike. */
function names(text: string, folders: readonly string[]): boolean {
  return folders.some((folder) =>
    text
      .split(folder)
      .slice(1)
      .some((rest) => !/^[\w.-]/.test(rest)),
  );
}

/**
 * Where cron may delete in storeDir, as far as this user may read it: files that name the folder together with `rm` or
 * `-delete`. `root` is where the system's folders are.
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

/** What to tell the operator of such a file. */
export function cronWarning(storeDir: string, file: string): string {
  const risk =
    'Where it removes .prosody-filer, types and expiries of uploads are lost, and deleted ones can be sent again';
  return `storeDir: ${file} seems to delete in ${storeDir}. ${risk}. Remove that line and set expiresAfter`;
}
