/*
 * Adds up the metrics of the workers. The supervisor asks each worker that is listening, through the cluster channel:
 *
 *   supervisor → worker   { readMetrics: id }              worker → supervisor   { metrics: { id, values } }
 *
 * prom-client's AggregatorRegistry asks every process of the cluster instead, so it waits in vain for a worker that is
 * starting or has just died.
 */
import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue, type Registry } from 'prom-client';
import { FilerError } from '../errors.js';
import type { Metrics } from '../metrics.js';

/** How long a worker may take to answer. After that the request for metrics fails: a sum without this worker would be wrong. */
const patienceMs = 5000;

type Values = MetricObjectWithValues<MetricValue<string>>[];

/** Other modules use the same channel, so each part may be missing. */
interface ToSupervisor {
  readonly metrics?: { readonly id: number; readonly values: Values };
}

interface ToWorker {
  readonly readMetrics?: number;
}

/** In a worker, before it listens: answers the supervisor's requests for metrics. */
export function reportMetrics({ registry }: Metrics): void {
  process.on('message', async ({ readMetrics: id }: ToWorker) => {
    if (id === undefined) return;
    const values = await registry.getMetricsAsJSON();
    if (process.connected) process.send?.({ metrics: { id, values } });
  });
}

/** Asks a worker for its metrics; they are empty if it ends meanwhile. Throws `STORE_BUSY` if it does not answer in time. */
function askWorker(worker: Worker, id: number): Promise<Values> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('exit', onExit);
      act();
    };
    const onMessage = ({ metrics }: ToSupervisor) => {
      if (metrics?.id === id) settle(() => resolve(metrics.values));
    };
    const onExit = () => settle(() => resolve([]));
    const late = `worker ${worker.process.pid} did not report its metrics within ${patienceMs / 1000} s`;
    const timer = setTimeout(() => settle(() => reject(new FilerError('STORE_BUSY', late))), patienceMs);
    worker.on('message', onMessage).on('exit', onExit);
    worker.send({ readMetrics: id } satisfies ToWorker);
  });
}

/** Makes the function that reads the metrics of all workers and of this process, added up. */
export function readMetricsOfWorkers(own: Registry): () => Promise<Registry> {
  const listening = new Set<Worker>();
  cluster.on('listening', (worker: Worker) => listening.add(worker));
  cluster.on('exit', (worker: Worker) => listening.delete(worker));
  let count = 0;
  return async () => {
    const connected = [...listening].filter((worker) => worker.isConnected());
    const ofWorkers = connected.map((worker) => askWorker(worker, count++));
    const all = await Promise.all([own.getMetricsAsJSON(), ...ofWorkers]);
    return AggregatorRegistry.aggregate(all);
  };
}
