/*
 * A deleted upload leaves a tombstone, so that nobody can use its slot again. A tombstone passes through four phases:
 *
 *   deletion ─ blocks, for replayWindow ─ replaceable, 1 hour ─ frozen, 1 hour ─ removable
 *
 * The frozen hour is for S3, where upload and tombstone are objects of the same key: a sweep looks at the object and then
 * deletes it, and no PUT may replace it between the two, since few services have a DELETE with conditions.
 */
import type { TombstonePhase } from '../storage/store.js';
import { hourMs } from '../units.js';

/** The phase of a tombstone by its age in ms. With a `replayWindowMs` of 0, no tombstone ever blocks its slot. */
export function tombstonePhases(replayWindowMs: number): (ageMs: number) => TombstonePhase {
  return (ageMs) => {
    const overMs = ageMs - replayWindowMs;
    if (overMs < 0) return 'blocks';
    if (overMs < hourMs) return 'replaceable';
    return overMs < 2 * hourMs ? 'frozen' : 'removable';
  };
}
