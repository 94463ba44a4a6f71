import { type ErrorCode, FilerError, messageOf, systemErrorCode } from '../../errors.js';

const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EDQUOT: ['STORE_FULL', 'the quota of the filesystem is used up'],
  EFBIG: ['STORE_FULL', 'the filesystem cannot hold a file of this size'],
  ENOSPC: ['STORE_FULL', 'no space is left on the device'],
  EACCES: ['STORE_FAILED', 'this user may not read or write here'],
  EROFS: ['STORE_FAILED', 'the filesystem is read-only'],
  EMFILE: ['STORE_BUSY', 'too many files are open: raise the limit (LimitNOFILE)'],
  ENFILE: ['STORE_BUSY', 'too many files are open on this system'],
  EEXIST: ['KEY_TAKEN', 'the upload exists'],
  EISDIR: ['KEY_TAKEN', 'a folder has this path'],
  ELOOP: ['KEY_TAKEN', 'a part of this path is a symbolic link'],
  ENOTDIR: ['KEY_TAKEN', 'a file is where this path needs a folder'],
  ENAMETOOLONG: ['NAME_TOO_LONG', 'the name is too long for the filesystem'],
};

/** A failed system call as a FilerError that names the call; a FilerError is passed on as it is. */
export function describeDiskError(error: unknown): FilerError {
  if (error instanceof FilerError) return error;
  const [code, meaning] = meanings[systemErrorCode(error) ?? ''] ?? ['STORE_FAILED', 'the disk failed'];
  const detail = messageOf(error);
  return new FilerError(code, `${meaning} (${detail})`, { cause: error });
}

/** Throws a FilerError in place of the system's errors. */
export async function describingErrors<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw describeDiskError(error);
  }
}

/** Whether the call failed for lack of space, inodes or quota. A deletion may help. */
export function isDiskFull(error: unknown): boolean {
  return describeDiskError(error).code === 'STORE_FULL';
}
