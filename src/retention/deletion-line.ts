import type { ListedUpload } from '../storage/store.js';

/** The log line about a deleted upload; `now` is in ms since the epoch. */
export function deletionLine(
  { key, size, modifiedAt }: ListedUpload,
  reason: 'expired' | 'evicted',
  now: number,
): { readonly path: string; readonly bytes: number; readonly ageSeconds: number; readonly reason: string } {
  return { path: key, bytes: size, ageSeconds: Math.round((now - modifiedAt) / 1000), reason };
}
