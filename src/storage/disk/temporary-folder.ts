/*
 * Uploads in progress. Each process has a folder of its own, so that a start can tell which left-overs it may remove:
 *
 *   storeDir/.prosody-filer/temporary/<host>~<pid namespace>~<pid>~<start time>/<0..15>/<n>
 *
 * The numbered subfolders spread the load: the lock of a single folder would cost 15 to 20 % on small uploads.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { copyFile, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import { reservedFolder } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders } from './folders.js';
import { touchFolders } from './touch-folders.js';

const subfolders = 16;
/** Mode of an upload, less the umask, if no fileMode is set. */
export const newFileMode = 0o644;
const separator = '~';
const parentSegments = [reservedFolder, 'temporary'];

/** The parent of the processes' folders, below storeDir. */
export const temporaryFolder = parentSegments.join('/');

interface ProcessIdentity {
  readonly pid: string;
  /** Clock ticks since boot. */
  readonly startTime: string;
}

/** The process with a pid (or `self`) in this pid namespace, from proc(5) stat; `undefined` if it has ended. */
function identify(pid: string): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    // Z: it has ended, and its parent has not noticed that yet.
    if (startTime === undefined || fields[0] === 'Z') return undefined;
    return { pid: stat.slice(0, stat.indexOf(' ')), startTime };
  } catch {
    return undefined;
  }
}

/** Host and pid namespace: only the pids of the same ones say something about running processes. */
function pidScope(): string {
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
  return [hostname(), namespace].join(separator);
}

/** The names in a folder; none if it does not exist. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The last change of a folder or of anything in it, ms since the epoch. Files that are removed meanwhile do not count. */
async function newestChange(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const files = [folder, ...names.map((name) => path.join(folder, name))];
  const results = await Promise.allSettled(files.map((file) => stat(file)));
  return Math.max(...results.map((result) => (result.status === 'fulfilled' ? result.value.mtimeMs : 0)));
}

/** A file that receives an upload. It was created exclusively, and clients cannot see it. */
export class TemporaryFile {
  readonly fd: number;
  readonly path: string;
  #isClosed = false;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** Whether it was closed: its descriptor may belong to another file by now. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Closes the file; does nothing the second time. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await disk.close(this.fd);
  }
}

/** The temporary files of this process in one store. */
export class TemporaryFolder {
  readonly #storeDir: string;
  readonly #scope = pidScope();
  readonly #own: string;
  #count = 0;

  constructor(storeDir: string) {
    this.#storeDir = storeDir;
    const self = identify('self');
    this.#own = [this.#scope, self?.pid, self?.startTime].join(separator);
  }

  /** Opens a new empty file for writing, with the mode 0644 less the umask. */
  async create(): Promise<TemporaryFile> {
    const count = this.#count++;
    const segments = [...parentSegments, this.#own, String(count % subfolders)];
    const file = path.join(this.#storeDir, ...segments, String(count));
    try {
      return new TemporaryFile(await disk.open(file, 'wx', newFileMode), file);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      await ensureFolders(this.#storeDir, segments, 0o700);
      return new TemporaryFile(await disk.open(file, 'wx', newFileMode), file);
    }
  }

  /** Opens a new file with the content of an open one, even if that has lost its name. */
  async copy(fd: number): Promise<TemporaryFile> {
    const copy = await this.create();
    try {
      await copyFile(`/proc/self/fd/${fd}`, copy.path);
      return copy;
    } catch (error) {
      await this.remove(copy);
      throw error;
    }
  }

  /** Closes and removes a file. If that fails, the next start removes it; the upload is not affected. */
  async remove(file: TemporaryFile): Promise<void> {
    await file.close().catch(() => undefined);
    await disk.unlink(file.path).catch(() => undefined);
  }

  /** Gives the folders of this host's processes the time of now. The times of other hosts' folders say whether they are in use. */
  async touch(): Promise<void> {
    const parent = path.join(this.#storeDir, ...parentSegments);
    await touchFolders(parent, 0);
    const own = (await namesIn(parent)).filter((name) => name.startsWith(this.#scope + separator));
    for (const name of own) await touchFolders(path.join(parent, name), 1);
  }

  /** Removes the folders of dead processes; resolves to a line for each that it could not remove. */
  async removeLeftOvers(untouchedMs: number): Promise<string[]> {
    const parent = path.join(this.#storeDir, ...parentSegments);
    const failures: string[] = [];
    for (const name of await namesIn(parent)) {
      const folder = path.join(parent, name);
      try {
        if (await this.#isLeftOver(folder, name, untouchedMs)) await rm(folder, { recursive: true, force: true });
      } catch (error) {
        failures.push(`${folder} could not be removed: ${error instanceof Error ? error.message : error}`);
      }
    }
    return failures;
  }

  /** Looks for the process if it is of this host, or else at the times of its files. */
  async #isLeftOver(folder: string, name: string, untouchedMs: number): Promise<boolean> {
    if (!name.startsWith(this.#scope + separator)) return (await newestChange(folder)) < Date.now() - untouchedMs;
    const [pid = '', startTime] = name.slice(this.#scope.length + 1).split(separator);
    return identify(pid)?.startTime !== startTime;
  }
}
