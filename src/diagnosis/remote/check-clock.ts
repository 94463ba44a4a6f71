import { type ClockReading, judgeClock } from '../clock.js';
import type { Verdict } from '../finding.js';
import type { Observation, Visit } from './visit.js';

/** Well below the 300 s for which Bearer tokens of Prosody 0.12 and our slot tokens are valid. */
const toleranceMs = 30_000;

/** The advice where clocks differ. */
export const setClocks = "Set the clocks of prosody-filer's host, of the XMPP server's host and of this machine (NTP).";

const names = { date: 'Date', 'last-modified': 'the Last-Modified of a new file' } as const;

function readingsIn({ answer, at }: Observation, startedAt: number): ClockReading[] {
  return (['date', 'last-modified'] as const).flatMap((header) => {
    const time = Date.parse(answer.headers[header]?.[0] ?? '');
    // Every download is a file that this visit uploaded.
    return Number.isNaN(time) ? [] : [{ what: names[header], time, earliest: startedAt, latest: at }];
  });
}

/** Checks that the server's clock agrees with this machine's, by Date and by the Last-Modified of new files. */
export function checkClock({ observations, startedAt }: Pick<Visit, 'observations' | 'startedAt'>): Verdict {
  const readings = observations.flatMap((observation) => readingsIn(observation, startedAt));
  const cause =
    'One of the clocks is wrong. Bearer and slot tokens are valid for 5 minutes, and a server ahead of time refuses them.';
  const tolerance = { warnFromMs: toleranceMs, problemFromMs: toleranceMs };
  return judgeClock(readings, tolerance, { cause, change: setClocks });
}
