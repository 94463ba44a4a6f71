import type { Verdict } from './verdict.js';
import type { Observation, Visit } from './visit.js';

/** Well below the 300 s for which Bearer tokens of Prosody 0.12 and our slot tokens are valid. */
const toleranceMs = 30_000;

/** The advice where clocks differ. */
export const setClocks = "Set the clocks of prosody-filer's host, of the XMPP server's host and of this machine (NTP).";

/** How many ms a time is after a span, or before it (negative). */
function distance(time: number, from: number, to: number): number {
  return Math.min(time - from, 0) + Math.max(time - to, 0);
}

function deviations({ answer, at }: Observation, startedAt: number): { header: string; ms: number }[] {
  return ['date', 'last-modified'].flatMap((header) => {
    // Every download is a file that this visit uploaded.
    const time = Date.parse(answer.headers[header]?.[0] ?? '');
    const ms = distance(time, startedAt - toleranceMs, at + toleranceMs);
    return Number.isNaN(time) || ms === 0 ? [] : [{ header, ms: time - at }];
  });
}

/** Checks that the server's clock agrees with this machine's, by Date and by the Last-Modified of new files. */
export function checkClock({ observations, startedAt }: Pick<Visit, 'observations' | 'startedAt'>): Verdict {
  const [first] = observations.flatMap((observation) => deviations(observation, startedAt));
  if (first === undefined) return `Date and Last-Modified agree with this machine's clock.`;
  const seconds = Math.abs(Math.round(first.ms / 1000));
  const name = first.header === 'date' ? 'Date' : 'the Last-Modified of a new file';
  return {
    found: `${name} is ${seconds} s ${first.ms > 0 ? 'ahead of' : 'behind'} this machine's clock.`,
    cause:
      'One of the clocks is wrong. Bearer and slot tokens are valid for 5 minutes, and a server ahead of time refuses them.',
    change: setClocks,
  };
}
