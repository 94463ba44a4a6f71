import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isHttpCode } from '../../src/http/statuses.js';
import { allMetrics } from '../support/all-metrics.js';
import { projectFolder, run } from '../support/command.js';
import { missingPeer } from '../support/peers.js';
import { tempDir } from '../support/temp-dir.js';

const rulesFile = path.join(projectFolder, 'src/contrib/prometheus/prosody-filer.rules.yml');
const dashboardFile = path.join(projectFolder, 'src/contrib/grafana/prosody-filer.json');

interface Dashboard {
  readonly templating: { readonly list: readonly { readonly name: string; readonly allValue?: string }[] };
  readonly panels: readonly { readonly id: number; readonly targets: readonly { readonly expr: string }[] }[];
}

async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(dashboardFile, 'utf8'));
}

/** The names of all series in /metrics. */
async function seriesNames(): Promise<Set<string>> {
  const metrics = allMetrics();
  metrics.watchUploads(() => 0);
  const text = await metrics.registry.metrics();
  const types = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
    ),
  );
}

async function check(...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await run('promtool', args);
  assert.equal(code, 0, stdout + stderr);
}

describe('the alert rules for Prometheus', () => {
  it('are valid, and fire when they should', { skip: missingPeer('promtool') ?? false }, async () => {
    await check('check', 'rules', rulesFile);
    await check('test', 'rules', path.join(projectFolder, 'test/support/alerts.yml'));
  });

  it('are all tested', async () => {
    const tests = await readFile(path.join(projectFolder, 'test/support/alerts.yml'), 'utf8');
    const alerts = [...(await readFile(rulesFile, 'utf8')).matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
    assert.ok(alerts.length > 0);
    for (const alert of alerts) assert.ok(new RegExp(`alertname: ${alert}\\n +exp_alerts:`).test(tests), alert);
  });

  it('name only metrics and reasons that there are', async () => {
    const rules = await readFile(rulesFile, 'utf8');
    const series = await seriesNames();
    const used = [...rules.matchAll(/\bprosody_filer_\w+/g)].map(([name]) => name);
    assert.ok(used.length > 0);
    for (const name of used) assert.ok(series.has(name), `${name} is not in /metrics`);
    const reasons = [...rules.matchAll(/reason=~?"([^"]*)"/g)].flatMap(([, names = '']) => names.split('|'));
    for (const reason of reasons) assert.ok(isHttpCode(reason), `${reason} is no reason`);
  });
});

describe('the dashboard for Grafana', () => {
  it('names only metrics that there are', async () => {
    const { panels } = await readDashboard();
    const series = await seriesNames();
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { expr } of panels.flatMap(({ targets }) => targets)) {
      const used = expr.match(/\b(prosody_filer|nodejs|process)_\w+/g) ?? [];
      assert.ok(used.length > 0, expr);
      for (const name of used) assert.ok(series.has(name), `${name} is not in /metrics`);
    }
  });

  it('shows no other program by its process_* and nodejs_*, which many programs have', async () => {
    const { panels, templating } = await readDashboard();
    const shared = panels.flatMap(({ targets }) => targets).filter(({ expr }) => /\b(process|nodejs)_/.test(expr));
    assert.ok(shared.length > 0);
    for (const { expr } of shared) assert.match(expr, /\{instance=~"\$instance"\}/);
    // For "All", Grafana then names each instance that its query has found. ".*" would be the instances of every program.
    assert.equal(templating.list.find(({ name }) => name === 'instance')?.allValue, undefined);
  });

  it('has valid queries', { skip: missingPeer('promtool') ?? false }, async (t: TestContext) => {
    const { panels } = await readDashboard();
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const rules = queries.map((query, index) => ({
      record: `query:${index}`,
      expr: query.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
    }));
    // JSON is YAML, too.
    const file = path.join(await tempDir(t), 'queries.yml');
    await writeFile(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    await check('check', 'rules', file);
  });
});
