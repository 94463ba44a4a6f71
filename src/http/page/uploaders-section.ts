import { formatSize } from '../../units.js';
import { type Html, html, sentence } from './html.js';
import type { Overview } from './overview.js';

/** Enough to tell uploaders apart, and too little to find an upload by it: paths begin with the whole id. */
const shownDigits = 8;

function row({ id, bytes }: { readonly id: string; readonly bytes: number }): Html {
  return html`<tr><td><code>${id.slice(0, shownDigits)}…</code></td><td>${formatSize(bytes)}</td></tr>`;
}

/** The section on the largest uploaders. */
export function uploadersSection({ uploaders }: Overview): Html {
  if (uploaders === undefined) return html``;
  const content =
    uploaders.length === 0
      ? html`<p>No stored upload names its uploader.</p>`
      : html`<table><thead><tr><th>beginning of the id</th><th>stored</th></tr></thead><tbody>${uploaders.map(row)}</tbody></table>
<p class="muted">${sentence('`prosody-filer stats` shows whole ids, and JIDs where the uploads name them.')}</p>`;
  return html`<section><h2>Largest uploaders</h2>${content}</section>`;
}
