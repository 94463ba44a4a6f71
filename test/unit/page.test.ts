import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { adviceByStatus, brokenLimits, slotAdvice } from '../../src/http/page/advice.js';
import { figuresOf } from '../../src/http/page/figures.js';
import { formatDuration } from '../../src/http/page/format.js';
import { bucketCount, bucketMs, History } from '../../src/http/page/history.js';
import { html, sentence } from '../../src/http/page/html.js';
import { renderPage } from '../../src/http/page/render-page.js';
import { Metrics } from '../../src/metrics.js';
import { dayMs, hourMs } from '../../src/units.js';
import { projectFolder } from '../support/command.js';
import { busyOverview, emptyOverview, figuresWith } from '../support/overviews.js';

/** The text of a page without its tags. */
function textOf(page: string): string {
  return page
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');
}

describe('the history of figures', () => {
  it('sums what was counted in the last hour and day, and forgets what is older', () => {
    let time = 0;
    const history = new History(() => time);
    const record = (uploads: number) => history.record(figuresWith({ uploads, 'PUT KEY_TAKEN': 1 }));
    const sums = () => [hourMs, dayMs].map((ms) => history.countsOfLast(ms).get('uploads') ?? 0);
    record(5);
    assert.deepEqual(sums(), [5, 5]);
    time = 2 * hourMs;
    record(8);
    assert.deepEqual(sums(), [3, 8]);
    assert.deepEqual(
      [hourMs, dayMs].map((ms) => history.countsOfLast(ms).get('PUT KEY_TAKEN')),
      [undefined, 1],
    );
    time = dayMs + hourMs;
    assert.deepEqual(sums(), [0, 3]);
    time = 3 * dayMs;
    assert.deepEqual(sums(), [0, 0]);
  });

  it('counts no upload twice after a worker has ended', () => {
    const history = new History(() => 0);
    for (const uploads of [10, 4, 6]) history.record(figuresWith({ uploads }));
    assert.equal(history.countsOfLast(dayMs).get('uploads'), 12);
  });

  it('keeps 288 buckets at most, with gaps where nobody recorded', () => {
    let time = 0;
    const history = new History(() => time);
    for (; time < 3 * dayMs; time += bucketMs) {
      if (time !== 3 * dayMs - 2 * bucketMs) history.record(figuresWith({}, { usedBytes: time }));
    }
    time -= bucketMs;
    const used = history.buckets().map((bucket) => bucket?.usedBytes);
    assert.deepEqual(
      [used.length, used[0], used.at(-3), used.at(-2), used.at(-1)],
      [bucketCount, 2 * dayMs, 3 * dayMs - 3 * bucketMs, undefined, 3 * dayMs - bucketMs],
    );
  });
});

describe('the figures of the page', () => {
  it('are those of the metrics', async () => {
    const metrics = new Metrics();
    metrics.watchUploads(() => 2);
    metrics.watchUsedSpace(() => 4096);
    metrics.watchFreeSpace(() => Promise.reject(new Error('no disk')));
    for (const [method, status] of Object.entries({ PUT: 201, GET: 206, HEAD: 200 })) {
      metrics.requests.inc({ method, status }, 3);
    }
    metrics.requests.inc({ method: 'GET', status: 302 });
    metrics.requests.inc({ method: 'GET', status: 'aborted' });
    metrics.refusals.inc({ method: 'PUT', reason: 'KEY_TAKEN' }, 4);
    metrics.slotsRefused.inc({ reason: 'SIZE_REFUSED' }, 5);
    metrics.slotsGiven.inc(6);
    metrics.receivedBytes.inc(7);
    metrics.sentBytes.inc(8);
    metrics.downloadsInProgress.inc();
    const { counts, ...figures } = figuresOf(await metrics.registry.getMetricsAsJSON());
    assert.deepEqual(Object.fromEntries(counts), {
      uploads: 3,
      uploadedBytes: 7,
      downloads: 4,
      downloadedBytes: 8,
      slots: 6,
      'PUT KEY_TAKEN': 4,
      'slot SIZE_REFUSED': 5,
    });
    assert.deepEqual(figures, { usedBytes: 4096, freeBytes: undefined, runningUploads: 2, runningDownloads: 1 });
  });
});

describe('the page', () => {
  const ok = { status: 'ok' } as const;

  it('escapes all that it shows', () => {
    assert.equal(
      html`<b>${`<a href="x" title='y'>&`}</b>`.text,
      '<b>&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;</b>',
    );
    assert.equal(sentence('a `<b>` c').text, 'a <code>&lt;b&gt;</code> c');
    const attack = '<script>alert(1)</script>"\'';
    const component = { jid: attack, isConnected: false, since: 0, reason: attack };
    const different = { storage: attack, component, sweepFailure: attack, figuresFailure: attack };
    const page = renderPage(emptyOverview({ ...different, uploaders: [{ id: '<i>"', bytes: 1 }] }), {
      status: 'failing',
      reason: attack,
    });
    assert.ok(!/<script|<i>/.test(page) && page.includes('&lt;script&gt;'));
  });

  it('says for each refusal how often, why, and what to do', () => {
    const refusals = {
      'PUT KEY_TAKEN': 3,
      'PUT UPLOAD_RUNNING': 2,
      'GET RANGE_UNSATISFIABLE': 1,
      'slot SLOTS_LIMITED': 5,
      'PUT UPLOAD_STALLED': 1,
      'PUT UNEXPECTED': 1,
    };
    const history = new History(() => 0);
    history.record(figuresWith(refusals));
    const text = textOf(renderPage(emptyOverview({ history }), ok));
    for (const claim of [
      /Slots refused The JID has no access.* SLOTS_LIMITED 5 5/,
      /Status 409 The file exists .* A client that tries again .* PUT KEY_TAKEN 3 3 PUT UPLOAD_RUNNING 2 2/,
      /Status 416 reason last hour last 24 h GET RANGE_UNSATISFIABLE 1 1/,
      /Unexpected A mistake in prosody-filer\. Look for unexpected error in the log, .* PUT UNEXPECTED 1 1/,
      /UPLOAD_STALLED The client of an upload must send at least one byte within stallTimeout \. /,
    ]) {
      assert.match(text, claim);
    }
  });

  it('names what is wrong', () => {
    assert.match(textOf(renderPage(emptyOverview(), ok)), /All is well ✓ Store : accepts uploads/);
    const full = { maxStoreSize: 1e9, minFreeSpace: 0, evictsWhenFull: false };
    const figures = figuresWith({}, { usedBytes: 1e9 });
    const text = textOf(renderPage(emptyOverview({ limits: full, figures }), ok));
    assert.match(text, /1 problem ✗ Store : accepts no uploads: maxStoreSize \(1\.00 GB\) is reached/);
    assert.match(text, /100 % of maxStoreSize/);
    const evicting = emptyOverview({ limits: { ...full, evictsWhenFull: true }, figures });
    assert.match(textOf(renderPage(evicting, ok)), /All is well/);
    const unknown = emptyOverview({
      figures: undefined,
      figuresFailure: 'worker 7 did not report',
      uploaders: undefined,
    });
    const failing = { status: 'failing', reason: 'the disk failed' } as const;
    assert.match(
      textOf(renderPage(unknown, failing)),
      /2 problems .*no uploads: the disk failed .*not up to date: worker 7/,
    );
  });

  it('shows the beginning of an id only', () => {
    const { uploaders = [] } = busyOverview();
    const page = renderPage(busyOverview(), ok);
    assert.ok(uploaders.length > 0);
    for (const { id } of uploaders) assert.ok(page.includes(`${id.slice(0, 8)}…`) && !page.includes(id.slice(0, 9)));
  });

  it('shows durations in two units at most', () => {
    const shown = [0, 999, 61_000, hourMs, 25 * hourMs + 61_000, 90 * dayMs + 3 * hourMs].map(formatDuration);
    assert.deepEqual(shown, ['less than 1 s', 'less than 1 s', '1 min 1 s', '1 h', '1 d 1 h', '90 d 3 h']);
  });
});

describe('the sentences of the page', () => {
  const readme = readFileSync(path.join(projectFolder, 'README.md'), 'utf8');

  /** The rows of the table under a heading of the README, without links. */
  function rowsOf(heading: string): string[] {
    const [, section = ''] = readme.split(`\n## ${heading}\n`);
    const [, rows = ''] = /^\| ---.*\n((?:\|.*\n)+)/m.exec(section) ?? [];
    return rows
      .trimEnd()
      .split('\n')
      .map((row) => row.replace(/\[([^\]]+)\]\(#[^)]+\)/g, '$1'));
  }

  it("are those of the README's table of status codes", () => {
    const statuses = Object.entries({ ...adviceByStatus, 'slot refused': slotAdvice });
    const expected = statuses.map(([status, { why, whatToDo }]) => `| ${status} | ${why} | ${whatToDo} |`);
    const rows = rowsOf('Troubleshooting by status code').filter((row) => /^\| (\d|slot refused)/.test(row));
    assert.equal(expected.filter((row) => !rows.includes(row)).join('\n'), '', 'the README lacks these rows');
    assert.deepEqual(rows.toSorted(), expected.toSorted());
  });

  it("are those of the README's table of the limits of a connection", () => {
    const expected = Object.entries(brokenLimits).map(([reason, limit]) => `| \`${reason}\` | ${limit} |`);
    assert.deepEqual(rowsOf('Limits of a connection').toSorted(), expected.toSorted());
  });
});
