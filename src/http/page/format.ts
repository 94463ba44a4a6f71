import { dayMs, hourMs } from '../../units.js';

const units: readonly (readonly [name: string, ms: number])[] = [
  ['d', dayMs],
  ['h', hourMs],
  ['min', 60_000],
  ['s', 1000],
];

/** A duration in one or two units, such as `3 d 4 h`, `12 min` or `less than 1 s`. */
export function formatDuration(ms: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, ms);
  for (const [name, unitMs] of units) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count} ${name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || 'less than 1 s';
}

/** A number with commas, such as `12,345`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}
