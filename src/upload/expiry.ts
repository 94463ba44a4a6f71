/** Whether an upload that goes at `expiresAt` (ms since the epoch; `undefined`: never) is gone at `now`. */
export function isExpired(expiresAt: number | undefined, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}
