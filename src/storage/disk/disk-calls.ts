import * as fs from 'node:fs';
import { promisify } from 'node:util';

/** System calls on plain descriptors, for the two hot loops: a FileHandle of node:fs/promises costs more per call. */
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
  rename: promisify(fs.rename),
  statfs: promisify(fs.statfs),
  unlink: promisify(fs.unlink),
};

/** `lstat`; `undefined` where nothing is. To throw and catch an exception for that costs more than the call. */
export function findStats(path: string): Promise<fs.Stats | undefined> {
  return new Promise((resolve, reject) => {
    fs.lstat(path, (error, stats) => {
      if (error !== null && error.code !== 'ENOENT') reject(error);
      else resolve(error === null ? stats : undefined);
    });
  });
}

/** Closes a file that was only read. It blocks, since a turn in the thread pool costs a third of a small download. */
export function closeRead(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch {
    // The descriptor is closed all the same, and nothing was written.
  }
}
