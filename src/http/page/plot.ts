/*
 * Plots as inline SVG without text: they are stretched to the width of the page. One unit of x is one value, and y goes from
 * 0 at the bottom to the largest value at the top. Missing values leave gaps.
 */
import { type Html, html } from './html.js';

const height = 100;

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** One step for each value, from the bottom up. Values that follow each other share one outline. */
function outline(values: readonly (number | undefined)[], max: number): string {
  let path = '';
  values.forEach((value, index) => {
    if (value === undefined) return;
    const isFirst = values[index - 1] === undefined;
    const isLast = values[index + 1] === undefined;
    const y = round(height - (value / max) * height);
    path += `${isFirst ? `M${index} ${height}` : ''}V${y}H${index + 1}${isLast ? `V${height}Z` : ''}`;
  });
  return path;
}

const axis = html`<div class="axis"><span>24 h ago</span><span>12 h</span><span>now</span></div>`;

/** What stands above a plot: its title, its present value or sum, and its largest or smallest value. */
export interface PlotTexts {
  readonly title: string;
  readonly now: string;
  readonly extreme: string;
  /** A class of the style sheet. */
  readonly colour: string;
}

/** A plot of values over the last 24 hours, the oldest first. */
export function plot({ title, now, extreme, colour }: PlotTexts, values: readonly (number | undefined)[]): Html {
  const max = Math.max(...values.map((value) => value ?? 0)) || 1;
  const name = `${title} over the last 24 hours: ${now}, ${extreme}`;
  return html`<figure><figcaption><b>${title}: ${now}</b> <span>${extreme}</span></figcaption>
<svg class="plot ${colour}" viewBox="0 0 ${values.length} ${height}" preserveAspectRatio="none" role="img" aria-label="${name}"><path d="${outline(values, max)}"/></svg>
${axis}</figure>`;
}
