import { countedBytes } from '../../retention/usage.js';
import { formatSize } from '../../units.js';
import type { Health } from '../health.js';
import { formatCount, formatDuration } from './format.js';
import { type Html, html } from './html.js';
import type { Overview } from './overview.js';

/** Whether a part of the program does its work. */
interface PartStatus {
  readonly part: string;
  readonly isWell: boolean;
  readonly text: string;
}

/** Why the store accepts no uploads. The check of its health does not know maxStoreSize. */
function refusalOfStore({ limits, figures }: Overview, health: Health): string | undefined {
  if (health.status === 'failing') return health.reason;
  const { maxStoreSize = Number.POSITIVE_INFINITY, evictsWhenFull } = limits;
  if (evictsWhenFull || (figures?.usedBytes ?? 0) + countedBytes(0) <= maxStoreSize) return undefined;
  return `maxStoreSize (${formatSize(maxStoreSize)}) is reached`;
}

function storeStatus(overview: Overview, health: Health): PartStatus {
  const refusal = refusalOfStore(overview, health);
  const text = refusal === undefined ? 'accepts uploads' : `accepts no uploads: ${refusal}`;
  return { part: 'Store', isWell: refusal === undefined, text };
}

function componentStatus({ component, now }: Overview): PartStatus[] {
  if (component === undefined) return [];
  const { jid, isConnected, since, reason } = component;
  const time = formatDuration(now - since);
  const text = isConnected
    ? `connected as ${jid} for ${time}`
    : `not connected as ${jid} for ${time}${reason === undefined ? '' : `: ${reason}`}`;
  return [{ part: 'XMPP server', isWell: isConnected, text }];
}

function describeLastSweep({ lastSweep, now }: Overview): string {
  if (lastSweep === undefined) return 'None has ended yet.';
  const { endedAt, durationMs, files, bytes, deletedFiles, deletedBytes, unreadable } = lastSweep;
  const times = `The last one ended ${formatDuration(now - endedAt)} ago and took ${formatDuration(durationMs)}.`;
  const deleted = `Deleted: ${formatCount(deletedFiles)} (${formatSize(deletedBytes)}).`;
  const kept = `Kept: ${formatCount(files)} (${formatSize(bytes)}).`;
  const skipped = unreadable === 0 ? '' : ` Unreadable, see the log: ${formatCount(unreadable)}.`;
  return `${times} ${deleted} ${kept}${skipped}`;
}

function sweepStatus(overview: Overview): PartStatus {
  const { now, nextSweepAt, sweepFailure, lastSweep } = overview;
  const next =
    nextSweepAt === undefined ? 'One is running' : `The next one begins in ${formatDuration(nextSweepAt - now)}`;
  const failure = sweepFailure === undefined ? '' : `The last attempt failed: ${sweepFailure}. `;
  const isWell = sweepFailure === undefined && (lastSweep?.unreadable ?? 0) === 0;
  return { part: 'Sweeps', isWell, text: `${failure}${next}. ${describeLastSweep(overview)}` };
}

function figuresStatus({ figuresFailure }: Overview): PartStatus[] {
  if (figuresFailure === undefined) return [];
  return [{ part: 'Figures', isWell: false, text: `not up to date: ${figuresFailure}` }];
}

/** The states of all parts. */
export function statusOfParts(overview: Overview, health: Health): PartStatus[] {
  return [
    storeStatus(overview, health),
    ...componentStatus(overview),
    sweepStatus(overview),
    ...figuresStatus(overview),
  ];
}

function item({ part, isWell, text }: PartStatus): Html {
  return html`<li class="${isWell ? 'well' : 'fault'}"><span class="mark">${isWell ? '✓' : '✗'}</span><p><b>${part}</b>: ${text}</p></li>`;
}

/** The section that says whether all parts do their work. */
export function statusSection(parts: readonly PartStatus[]): Html {
  const isWell = parts.every((part) => part.isWell);
  return html`<section class="${isWell ? 'well' : 'bad'}"><h2>${summaryOf(parts)}</h2><ul>${parts.map(item)}</ul></section>`;
}

/** One sentence on all parts. */
export function summaryOf(parts: readonly PartStatus[]): string {
  const faults = parts.filter(({ isWell }) => !isWell).length;
  if (faults === 0) return 'All is well';
  return faults === 1 ? '1 problem' : `${faults} problems`;
}
