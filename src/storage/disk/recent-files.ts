/*
 * A file that is asked for again within a second stays open for a second: the members of a group chat ask for the same picture at
 * the same time, and players ask for one part of a video after the other. To open a file is handed over to another thread, which
 * costs as much as half of a small download. Before each use, the descriptor is asked for its path and its state as when it
 * was new, so a file that was deleted, moved or changed meanwhile is opened again.
 */
import { fstatSync, readlinkSync, type Stats } from 'node:fs';
import type { StoredFacts } from '../store.js';
import { closeRead } from './disk-calls.js';

const agingMs = 500;
/** So many paths are young, and as many are old. */
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
  /** How many downloads use it; one more while it is kept open. */
  users: number;
}

function isUnchanged({ fd, facts }: RecentFile, file: string): boolean {
  const stats = statsAt(fd, file);
  return stats?.size === facts.size && stats.mtimeMs === facts.modifiedAt;
}

/** The files that were opened a moment ago, by path; `undefined`: it was asked for once, and is not kept open. */
export class RecentFiles {
  #young = new Map<string, RecentFile | undefined>();
  #old = new Map<string, RecentFile | undefined>();
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
    return file;
  }

  /** Keeps a file that was just opened, if it is asked for again. The caller gives it back. */
  keep(path: string, fd: number, facts: StoredFacts, beginning?: Buffer): RecentFile {
    const isAskedAgain = this.#young.has(path) || this.#old.has(path);
    this.forget(path);
    if (this.#young.size === maxYoung) this.#age();
    const file = { fd, facts, beginning, users: isAskedAgain ? 2 : 1 };
    this.#young.set(path, isAskedAgain ? file : undefined);
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
      files.delete(path);
      if (file !== undefined) this.giveBack(file);
    }
  }

  #age(): void {
    for (const file of this.#old.values()) if (file !== undefined) this.giveBack(file);
    this.#old = this.#young;
    this.#young = new Map();
    if (this.#old.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
