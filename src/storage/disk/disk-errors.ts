import { type ErrorCode, FilerError, messageOf, systemErrorCode } from '../../errors.js';

const meanings: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EDQUOT: ['STORE_FULL', 'the quota of the filesystem is used up'],
  EFBIG: ['STORE_FULL', 'the filesystem takes no file of this size'],
  ENOSPC: ['STORE_FULL', 'no space is left on the device'],
  EACCES: ['STORE_FAILED', 'this user may not read or write there'],
  EROFS: ['STORE_FAILED', 'the filesystem is read-only'],
  EMFILE: ['STORE_BUSY', 'too many files are open: raise the limit (LimitNOFILE)'],
  ENFILE: ['STORE_BUSY', 'too many files are open on this system'],
  EEXIST: ['KEY_TAKEN', 'the upload exists'],
  EISDIR: ['KEY_TAKEN', 'a folder stands at this path'],
  ELOOP: ['KEY_TAKEN', 'a symbolic link stands in this path'],
  ENOTDIR: ['KEY_TAKEN', 'a file stands where this path needs a folder'],
  ENAMETOOLONG: ['KEY_INVALID', 'the name is longer than the filesystem takes'],
};

/** The disk's failure as a FilerError that names the system call; a FilerError is passed on as it is. */
export function describeDiskError(error: unknown): FilerError {
  if (error instanceof FilerError) return error;
  const [code, meaning] = meanings[systemErrorCode(error) ?? ''] ?? ['STORE_FAILED', 'the disk failed'];
  const detail = messageOf(error);
  return new FilerError(code, `${meaning} (${detail})`, { cause: error });
}

/** Whether the call failed for lack of space, of inodes or of quota, which a deletion can give back. */
export function isDiskFull(error: unknown): boolean {
  return describeDiskError(error).code === 'STORE_FULL';
}
