import { dayMs, hourMs } from '../../units.js';
import { isHttpCode, statusOf } from '../statuses.js';
import { type Advice, adviceByStatus, brokenLimits, slotAdvice, unexpectedAdvice } from './advice.js';
import { isRefusal } from './figures.js';
import { formatCount } from './format.js';
import { type Html, html, sentence } from './html.js';
import type { Overview } from './overview.js';

/** How often something was refused for one reason. */
interface Refused {
  /** The method. */
  readonly what: string;
  readonly reason: string;
  readonly lastHour: number;
  readonly lastDay: number;
}

/** Refusals with the same advice. */
interface Group {
  readonly title: string;
  readonly advice: Partial<Advice>;
  readonly refused: Refused[];
}

function isBrokenLimit(reason: string): reason is keyof typeof brokenLimits {
  return Object.hasOwn(brokenLimits, reason);
}

function explain({ what, reason }: Refused): Pick<Group, 'title' | 'advice'> {
  if (what === 'slot') return { title: 'Slots refused', advice: slotAdvice };
  if (isBrokenLimit(reason)) return { title: reason, advice: { why: brokenLimits[reason] } };
  if (!isHttpCode(reason)) return { title: 'Unexpected', advice: unexpectedAdvice };
  const status = statusOf[reason];
  return { title: `Status ${status}`, advice: adviceByStatus[status] ?? {} };
}

function listRefused({ history }: Overview): Refused[] {
  const lastHour = history.countsOfLast(hourMs);
  const refusals = [...history.countsOfLast(dayMs)].flatMap(([name, lastDay]) => {
    const [what = '', reason = ''] = name.split(' ');
    return isRefusal(name) ? [{ what, reason, lastHour: lastHour.get(name) ?? 0, lastDay }] : [];
  });
  return refusals.sort((a, b) => b.lastDay - a.lastDay);
}

/** The groups in the order of their most frequent refusal. */
function grouped(refusals: readonly Refused[]): Group[] {
  const groups = new Map<string, Group>();
  for (const refused of refusals) {
    const { title, advice } = explain(refused);
    const group = groups.get(title) ?? { title, advice, refused: [] };
    groups.set(title, group);
    group.refused.push(refused);
  }
  return [...groups.values()];
}

function row({ what, reason, lastHour, lastDay }: Refused): Html {
  const name = what === 'slot' ? reason : `${what} ${reason}`;
  return html`<tr><td><code>${name}</code></td><td>${formatCount(lastHour)}</td><td>${formatCount(lastDay)}</td></tr>`;
}

function article({ title, advice: { why, whatToDo }, refused }: Group): Html {
  return html`<article><h3>${title}</h3>
${why === undefined ? undefined : html`<p>${sentence(why)}</p>`}
${whatToDo === undefined ? undefined : html`<p class="muted">${sentence(whatToDo)}</p>`}
<table><thead><tr><th>reason</th><th>last hour</th><th>last 24 h</th></tr></thead><tbody>${refused.map(row)}</tbody></table></article>`;
}

/** The section on what was refused in the last 24 hours, why, and what to do about it. */
export function refusalsSection(overview: Overview): Html {
  const groups = grouped(listRefused(overview));
  const content = groups.length === 0 ? html`<p>None in the last 24 hours.</p>` : html`${groups.map(article)}`;
  return html`<section><h2>Refused or broken off</h2>${content}</section>`;
}
