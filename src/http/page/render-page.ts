import type { Health } from '../health.js';
import { formatDuration } from './format.js';
import { Html, html } from './html.js';
import type { Overview } from './overview.js';
import { refusalsSection } from './refusals-section.js';
import { spaceSection } from './space-section.js';
import { statusOfParts, statusSection, summaryOf } from './status-section.js';
import { style, styleHash } from './style.js';
import { trafficSection } from './traffic-section.js';
import { uploadersSection } from './uploaders-section.js';

const reloadSeconds = 60;

/** The headers of the page. It has no script, loads nothing, and no other site may frame it. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** The page for operators: HTML without a script, which reloads itself. */
export function renderPage(overview: Overview, health: Health): string {
  const parts = statusOfParts(overview, health);
  const { now, startedAt, storage } = overview;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>prosody-filer: ${summaryOf(parts)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="${reloadSeconds}">
<style>${new Html(style)}</style></head><body>
<header><h1>prosody-filer</h1><p class="muted">${storage}</p></header>
<main>${statusSection(parts)}${spaceSection(overview)}${trafficSection(overview)}${refusalsSection(overview)}${uploadersSection(overview)}</main>
<footer><p>Started ${formatDuration(now - startedAt)} ago. Before that, there are no figures. This page reloads itself each minute.</p>
<p><a href="metrics">/metrics</a> <a href="healthz">/healthz</a></p></footer>
</body></html>
`.text;
}
