import type { Advice, Verdict } from './finding.js';

/** A time that a server sent. By this machine's clock it was between `earliest` and `latest`. All in ms since the epoch. */
export interface ClockReading {
  /** What it says in a message, such as `Date`. */
  readonly what: string;
  readonly time: number;
  readonly earliest: number;
  readonly latest: number;
}

/** By how many ms the time is before `earliest` or after `latest`. */
function differenceOf({ time, earliest, latest }: ClockReading): number {
  return Math.max(earliest - time, time - latest, 0);
}

/** Whether a server's clock agrees with this machine's clock. The first reading that differs is a warning or a problem. */
export function judgeClock(
  readings: readonly ClockReading[],
  { warnFromMs, problemFromMs }: Readonly<Record<'warnFromMs' | 'problemFromMs', number>>,
  advice: Advice,
): Verdict {
  const wrong = readings.find((reading) => differenceOf(reading) >= warnFromMs);
  if (wrong === undefined) return `The server's clock and this machine's clock agree within ${warnFromMs / 1000} s.`;
  const aheadMs = wrong.time - wrong.latest;
  const difference = `${Math.abs(Math.round(aheadMs / 1000))} s ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  const outcome = differenceOf(wrong) < problemFromMs ? 'warning' : 'problem';
  return { outcome, found: `${wrong.what} is ${difference} this machine's clock.`, ...advice };
}
