import { messageOf, systemErrorCode } from '../../errors.js';
import type { ReportUnreadable } from '../store.js';
import { describeDiskError } from './disk-errors.js';

const gone = new Set(['ENOENT', 'ENOTDIR']);

/** Whether the call failed because there is nothing at its path, or no longer. */
export function isGone(error: unknown): boolean {
  return gone.has(systemErrorCode(error) ?? '');
}

/**
 * Reports an entry that could not be read, unless it is gone. Throws the error again where it says nothing of the entry,
 * but that this process has too many files open (`STORE_BUSY`): then a walk would pass over everything.
 */
export function passOver(path: string, error: unknown, report: ReportUnreadable): void {
  if (describeDiskError(error).code === 'STORE_BUSY') throw error;
  if (!isGone(error)) report({ path, reason: messageOf(error) });
}
