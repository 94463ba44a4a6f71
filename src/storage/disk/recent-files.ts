/*
 * A file that was opened for a download stays open for a second: the members of a group chat ask for the same picture at the
 * same time, and players ask for one part of a video after the other. To open a file is handed over to another thread, which
 * costs as much as half of a small download. Before each use, the descriptor is asked for its path and its state as when it
 * was new, so a file that was deleted, moved or changed meanwhile is opened again.
 */
import { fstatSync, readlinkSync, type Stats } from 'node:fs';
import type { StoredFacts } from '../store.js';
import { closeRead } from './disk-calls.js';

const agingMs = 500;
/** So many files are young, and as many are old. */
const maxYoung = 64;

/** The state of an open file if it is a plain file at exactly this absolute path, `undefined` otherwise. */
export function statsAt(fd: number, file: string): Stats | undefined {
  const stats = fstatSync(fd);
  // The descriptor has another path if a folder on the way was a symbolic link, or if the file was moved or deleted.
  return stats.isFile() && readlinkSync(`/proc/self/fd/${fd}`) === file ? stats : undefined;
}

/** A file that is open for reading. */
export interface RecentFile {
  readonly fd: number;
  readonly facts: StoredFacts;
  /** Its first 64 KiB or all of it, if they were read and are kept. */
  beginning: Buffer | undefined;
  /** Whether it was asked for more than once. */
  isPopular: boolean;
  /** How many downloads use it; one more while it is recent. */
  users: number;
}

function isUnchanged({ fd, facts }: RecentFile, file: string): boolean {
  const stats = statsAt(fd, file);
  return stats?.size === facts.size && stats.mtimeMs === facts.modifiedAt;
}

/** The files that were opened a moment ago, by path. */
export class RecentFiles {
  #young = new Map<string, RecentFile>();
  #old = new Map<string, RecentFile>();
  #timer: NodeJS.Timeout | undefined;

  /** A file that is open and was not changed; `undefined`: it has to be opened. The caller gives it back. */
  take(path: string): RecentFile | undefined {
    const file = this.#young.get(path) ?? this.#old.get(path);
    if (file === undefined) return undefined;
    if (!isUnchanged(file, path)) {
      this.forget(path);
      return undefined;
    }
    file.users += 1;
    file.isPopular = true;
    return file;
  }

  /** Keeps a file that was just opened. The caller gives it back. */
  keep(path: string, fd: number, facts: StoredFacts, beginning?: Buffer): RecentFile {
    this.forget(path);
    if (this.#young.size === maxYoung) this.#age();
    const file = { fd, facts, beginning, isPopular: false, users: 2 };
    this.#young.set(path, file);
    this.#timer ??= setInterval(() => this.#age(), agingMs).unref();
    return file;
  }

  /** Ends a use of a file. Closes it after the last one. */
  giveBack(file: RecentFile): void {
    file.users -= 1;
    if (file.users === 0) closeRead(file.fd);
  }

  /** Closes a file as soon as no download uses it, so that its space is free once it is deleted. */
  forget(path: string): void {
    for (const files of [this.#young, this.#old]) {
      const file = files.get(path);
      if (file === undefined) continue;
      files.delete(path);
      this.giveBack(file);
    }
  }

  #age(): void {
    for (const file of this.#old.values()) this.giveBack(file);
    this.#old = this.#young;
    this.#young = new Map();
    if (this.#old.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
