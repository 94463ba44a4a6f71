import type { Verdict } from './verdict.js';
import type { Observation, Visit } from './visit.js';

/** Bearer tokens of Prosody 0.12 and our own of slots live for 300 s. */
const toleranceMs = 30_000;

/** What to do about clocks that disagree. */
export const setClocks = "set the clocks of the server, of the XMPP server's host and of this machine (NTP)";

/** How far a time lies outside of a span, in ms; negative before it. */
function distance(time: number, from: number, to: number): number {
  return Math.min(time - from, 0) + Math.max(time - to, 0);
}

function deviations({ answer, at }: Observation, startedAt: number): { header: string; ms: number }[] {
  return ['date', 'last-modified'].flatMap((header) => {
    // Whatever is downloaded was uploaded in this visit.
    const time = Date.parse(answer.headers[header]?.[0] ?? '');
    const ms = distance(time, startedAt - toleranceMs, at + toleranceMs);
    return Number.isNaN(time) || ms === 0 ? [] : [{ header, ms: time - at }];
  });
}

/** Whether the server's clock and this machine's agree, by Date and by when uploads were stored. */
export function checkClock({ observations, startedAt }: Pick<Visit, 'observations' | 'startedAt'>): Verdict {
  const [first] = observations.flatMap((observation) => deviations(observation, startedAt));
  if (first === undefined) return `Date and Last-Modified agree with this machine's clock`;
  const seconds = Math.abs(Math.round(first.ms / 1000));
  const name = first.header === 'date' ? 'Date' : 'the Last-Modified of a new file';
  return {
    found: `${name} is ${seconds} s ${first.ms > 0 ? 'ahead of' : 'behind'} this machine's clock`,
    cause:
      'the clock of one of them is wrong: Bearer and slot tokens live for 5 minutes, and a server ahead of time refuses them',
    change: setClocks,
  };
}
