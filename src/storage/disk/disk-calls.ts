import * as fs from 'node:fs';
import { promisify } from 'node:util';

/** The system calls of the two hot paths on plain descriptors: FileHandle of node:fs/promises costs more per call. */
export const disk = {
  close: promisify(fs.close),
  fchmod: promisify(fs.fchmod),
  fdatasync: promisify(fs.fdatasync),
  fsync: promisify(fs.fsync),
  futimes: promisify(fs.futimes),
  link: promisify(fs.link),
  lstat: promisify(fs.lstat),
  open: promisify(fs.open),
  read: promisify(fs.read),
  statfs: promisify(fs.statfs),
  unlink: promisify(fs.unlink),
};

/** Closes what was only read; at once, since handing that to the thread pool costs a third of a small download. */
export function closeRead(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // Nothing is lost: the descriptor is gone all the same.
  }
}
