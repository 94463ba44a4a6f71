import type { ListedUpload } from '../storage/store.js';

/** What the log says of an upload that is deleted; `now` is in ms since the epoch. */
export function deletionLine(
  { key, size, modifiedAt }: ListedUpload,
  reason: 'expired' | 'evicted',
  now: number,
): { readonly path: string; readonly bytes: number; readonly ageSeconds: number; readonly reason: string } {
  return { path: key, bytes: size, ageSeconds: Math.round((now - modifiedAt) / 1000), reason };
}
