import { Metrics } from '../../src/metrics.js';

/** All metrics that a process can have, without a count yet. */
export function allMetrics(freeBytes: () => Promise<number> = async () => 1e9): Metrics {
  const metrics = new Metrics();
  metrics.watchLostLogLines(() => 0);
  metrics.watchSweeps({ unreadable: 0, last: { endedAt: 1500 } });
  metrics.watchUsedSpace(() => undefined);
  metrics.watchComponent(() => true);
  metrics.watchFreeSpace(freeBytes);
  return metrics;
}
