/*
 * Uploads in progress, one folder per process so that a start can tell whose left-overs it may remove:
 *
 *   storeDir/.prosody-filer/temporary/<host>~<pid namespace>~<pid>~<start time>/<0..15>/<n>
 *
 * The numbered subfolders spread the load: in a single folder its lock costs 15 to 20 % on small uploads.
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
/** Mode of an upload if none is set, less the umask. */
export const newFileMode = 0o644;
const separator = '~';
const parentSegments = [reservedFolder, 'temporary'];

/** Where the folders of the processes lie, below storeDir. */
export const temporaryFolder = parentSegments.join('/');

interface ProcessIdentity {
  readonly pid: string;
  /** Clock ticks since boot. */
  readonly startTime: string;
}

/** Which process has a pid (or `self`) in this pid namespace, from proc(5) stat; `undefined` for none. */
function identify(pid: string): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return startTime === undefined ? undefined : { pid: stat.slice(0, stat.indexOf(' ')), startTime };
  } catch {
    return undefined;
  }
}

/** What tells the pids that this process can see from those of another host or container. */
function pidScope(): string {
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
  return [hostname(), namespace].join(separator);
}

/** The names in a folder; none where it does not exist. */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** When anything in a folder last changed (ms since the epoch); files that go meanwhile do not count. */
async function newestChange(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true });
  const files = [folder, ...names.map((name) => path.join(folder, name))];
  const results = await Promise.allSettled(files.map((file) => stat(file)));
  return Math.max(...results.map((result) => (result.status === 'fulfilled' ? result.value.mtimeMs : 0)));
}

/** A file that is being uploaded: created exclusively, and not visible to anybody else. */
export class TemporaryFile {
  readonly fd: number;
  readonly path: string;
  #isClosed = false;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** Whether its descriptor may be another file's by now. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Closes it, unless it is closed. */
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

  /** Opens a new file with the content of one that is open, also where that has no name any more. */
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

  /** Closes a file and removes its name; what stays behind goes at the next start, and changes nothing for the upload. */
  async remove(file: TemporaryFile): Promise<void> {
    await file.close().catch(() => undefined);
    await disk.unlink(file.path).catch(() => undefined);
  }

  /** Touches the folders of this host's processes; those of others tell by their times whether somebody uses them. */
  async touch(): Promise<void> {
    const parent = path.join(this.#storeDir, ...parentSegments);
    await touchFolders(parent, 0);
    const own = (await namesIn(parent)).filter((name) => name.startsWith(this.#scope + separator));
    for (const name of own) await touchFolders(path.join(parent, name), 1);
  }

  /** Removes what dead processes left; resolves to what could not be removed and why, a line each. */
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

  /** Processes of this host are dead or not; of others' only their files tell. */
  async #isLeftOver(folder: string, name: string, untouchedMs: number): Promise<boolean> {
    if (!name.startsWith(this.#scope + separator)) return (await newestChange(folder)) < Date.now() - untouchedMs;
    const [pid = '', startTime] = name.slice(this.#scope.length + 1).split(separator);
    return identify(pid)?.startTime !== startTime;
  }
}
