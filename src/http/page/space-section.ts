import { formatSize } from '../../units.js';
import type { Bucket } from './history.js';
import { type Html, html } from './html.js';
import type { Overview } from './overview.js';
import { plot } from './plot.js';

/** From this part of maxStoreSize on, the bar of a store that refuses uploads when it is full has the colour of a fault. */
const nearlyFull = 0.95;

type Sizes = readonly (number | undefined)[];

/** How full the store was at most. */
function usedPlot(now: number, sizes: Sizes): Html {
  const most = `at most ${formatSize(Math.max(...sizes.map((size) => size ?? 0)))}`;
  return plot({ title: 'Stored', colour: 'used', now: formatSize(now), extreme: most }, sizes);
}

/** How little was free at least. */
function freePlot(now: number, sizes: Sizes): Html {
  const least = `at least ${formatSize(Math.min(...sizes.map((size) => size ?? Number.POSITIVE_INFINITY)))}`;
  return plot({ title: 'Free', colour: 'free', now: formatSize(now), extreme: least }, sizes);
}

function fillLevel(usedBytes: number, maxStoreSize: number, evictsWhenFull: boolean): Html {
  const part = usedBytes / maxStoreSize;
  const percent = Math.min(100, Math.floor(part * 100));
  const colour = part < nearlyFull || evictsWhenFull ? 'used' : 'full';
  return html`<svg class="bar ${colour}" viewBox="0 0 100 1" preserveAspectRatio="none" role="img" aria-label="${percent} % of maxStoreSize"><rect width="${percent}" height="1"/></svg>
<p class="muted">${percent} % of <code>maxStoreSize</code> (${formatSize(maxStoreSize)})</p>`;
}

/** The section on what is stored and how much more can be. */
export function spaceSection({ figures, history, limits }: Overview): Html {
  const { maxStoreSize, minFreeSpace, evictsWhenFull } = limits;
  const buckets = history.buckets();
  const valuesOf = (name: keyof Pick<Bucket, 'usedBytes' | 'freeBytes'>) => buckets.map((bucket) => bucket?.[name]);
  const { usedBytes, freeBytes } = figures ?? {};
  const used =
    usedBytes === undefined
      ? html`<p>What is stored is still being counted.</p>`
      : html`<div>${usedPlot(usedBytes, valuesOf('usedBytes'))}
${maxStoreSize === undefined ? undefined : fillLevel(usedBytes, maxStoreSize, evictsWhenFull)}</div>`;
  const free =
    freeBytes === undefined
      ? undefined
      : html`<div>${freePlot(freeBytes, valuesOf('freeBytes'))}
${minFreeSpace === 0 ? undefined : html`<p class="muted"><code>minFreeSpace</code> keeps ${formatSize(minFreeSpace)} of it free</p>`}</div>`;
  return html`<section><h2>Space</h2><div class="grid">${used}${free}</div></section>`;
}
