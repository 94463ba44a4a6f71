import type { DeletedUpload } from '../storage/store.js';

/** Why an upload was deleted: its uploader or an admin may ask for it. */
export type DeletionReason = 'expired' | 'evicted' | 'asked by uploader' | 'asked by admin';

/** The log line about a deleted upload; `now` is in ms since the epoch. */
export function deletionLine(
  { key, size, modifiedAt }: DeletedUpload,
  reason: DeletionReason,
  now: number,
): { readonly path: string; readonly bytes: number; readonly ageSeconds: number; readonly reason: string } {
  return { path: key, bytes: size, ageSeconds: Math.round((now - modifiedAt) / 1000), reason };
}
