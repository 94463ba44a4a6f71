import { messageOf, systemErrorCode } from '../../errors.js';
import type { ReportUnreadable } from '../store.js';
import { describeDiskError } from './disk-errors.js';

const gone = new Set(['ENOENT', 'ENOTDIR']);

/** Whether the call failed because nothing exists at its path. */
export function isGone(error: unknown): boolean {
  return gone.has(systemErrorCode(error) ?? '');
}

/**
 * Reports an entry that could not be read, unless it is gone. Throws the error again if this process has too many files open
 * (`STORE_BUSY`): that is not about the entry, and a walk would pass over all others too.
 */
export function passOver(path: string, error: unknown, report: ReportUnreadable): void {
  if (describeDiskError(error).code === 'STORE_BUSY') throw error;
  if (!isGone(error)) report({ path, reason: messageOf(error) });
}
