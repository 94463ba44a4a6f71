import { dayMs, formatSize, hourMs } from '../../units.js';
import { type Counted, isRefusal } from './figures.js';
import { formatCount } from './format.js';
import type { Bucket } from './history.js';
import { type Html, html } from './html.js';
import type { Overview } from './overview.js';
import { plot } from './plot.js';

/** So many buckets of 5 minutes are one step of a plot: 15 minutes. */
const bucketsPerStep = 3;

type Counts = ReadonlyMap<Counted, number>;

function transfers(counts: Counts, number: Counted, bytes: Counted): Html {
  return html`<td>${formatCount(counts.get(number) ?? 0)} <small>${formatSize(counts.get(bytes) ?? 0)}</small></td>`;
}

function refusedSlots(counts: Counts): number {
  return [...counts].reduce(
    (sum, [name, count]) => (isRefusal(name) && name.startsWith('slot ') ? sum + count : sum),
    0,
  );
}

function slotRows(periods: readonly Counts[]): Html {
  const given = periods.map((counts) => html`<td>${formatCount(counts.get('slots') ?? 0)}</td>`);
  const refused = periods.map((counts) => html`<td>${formatCount(refusedSlots(counts))}</td>`);
  return html`<tr><td>Slots given</td><td></td>${given}</tr><tr><td>Slots refused</td><td></td>${refused}</tr>`;
}

function countPlot(title: string, colour: string, name: Counted, buckets: readonly (Bucket | undefined)[]): Html {
  const counts = buckets.map((bucket) => bucket?.counts.get(name) ?? 0);
  const steps = counts.flatMap((_, index) =>
    index % bucketsPerStep === 0
      ? [counts.slice(index, index + bucketsPerStep).reduce((sum, count) => sum + count, 0)]
      : [],
  );
  const total = formatCount(counts.reduce((sum, count) => sum + count, 0));
  return plot({ title, colour, now: total, extreme: `at most ${formatCount(Math.max(...steps))} in 15 min` }, steps);
}

/** The section on uploads, downloads and slots. */
export function trafficSection({ history, figures, component }: Overview): Html {
  const periods = [hourMs, dayMs].map((ms) => history.countsOfLast(ms));
  const buckets = history.buckets();
  return html`<section><h2>Transfers</h2>
<table><thead><tr><th></th><th>now</th><th>last hour</th><th>last 24 h</th></tr></thead><tbody>
<tr><td>Uploads</td><td>${formatCount(figures?.runningUploads ?? 0)}</td>${periods.map((counts) => transfers(counts, 'uploads', 'uploadedBytes'))}</tr>
<tr><td>Downloads</td><td>${formatCount(figures?.runningDownloads ?? 0)}</td>${periods.map((counts) => transfers(counts, 'downloads', 'downloadedBytes'))}</tr>
${component === undefined ? undefined : slotRows(periods)}</tbody></table>
<div class="grid">${countPlot('Uploads', 'up', 'uploads', buckets)}${countPlot('Downloads', 'down', 'downloads', buckets)}</div></section>`;
}
