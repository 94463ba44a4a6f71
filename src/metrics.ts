import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds: from a small file on a fast disk to a large one over a slow line. */
const durationBuckets = [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300];

/** What this process measures, in a registry of its own; the README explains each name. */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];

  /** `status` is `aborted` where the connection broke first. */
  readonly requests = new Counter({
    name: 'prosody_filer_requests_total',
    help: 'Requests that are over, by method and by the status of the answer',
    labelNames: ['method', 'status'],
    registers: this.#registers,
  });

  /** `reason` is an ErrorCode, or why a connection was broken off. */
  readonly refusals = new Counter({
    name: 'prosody_filer_refusals_total',
    help: 'Answers that refuse or report a failure and transfers that were broken off, by method and reason',
    labelNames: ['method', 'reason'],
    registers: this.#registers,
  });

  readonly receivedBytes = new Counter({
    name: 'prosody_filer_received_bytes_total',
    help: 'Bytes of the uploads that were stored',
    registers: this.#registers,
  });

  readonly sentBytes = new Counter({
    name: 'prosody_filer_sent_bytes_total',
    help: 'Bytes of the downloads that were sent to their end, or left to nginx',
    registers: this.#registers,
  });

  readonly durations = new Histogram({
    name: 'prosody_filer_request_duration_seconds',
    help: 'How long requests took, from their head to the end of the answer',
    labelNames: ['method'],
    buckets: durationBuckets,
    registers: this.#registers,
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Has the uploads that run counted whenever the metrics are read. */
  watchUploads(count: () => number): void {
    new Gauge({
      name: 'prosody_filer_uploads_in_progress',
      help: 'Uploads that are running',
      registers: this.#registers,
      collect() {
        this.set(count());
      },
    });
  }

  /** Has the store's free space looked at whenever the metrics are read. */
  watchFreeSpace(freeBytes: () => Promise<number>): void {
    new Gauge({
      name: 'prosody_filer_store_free_bytes',
      help: 'Space on the filesystem of the store that this user may fill',
      registers: this.#registers,
      // Several workers look at one disk.
      aggregator: 'min',
      async collect() {
        try {
          this.set(await freeBytes());
        } catch {
          // Rather no value than a wrong one: what is the matter with the store /healthz tells.
          this.remove({});
        }
      },
    });
  }
}

/** Has the log lines that could not be written counted whenever the metrics are read. */
export function watchLostLogLines(registry: Registry, count: () => number): void {
  new Counter({
    name: 'prosody_filer_log_lines_lost_total',
    help: 'Lines of the log that could not be written',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(count());
    },
  });
}

/** Has what the sweeps have found read with the metrics; with workers, only their supervisor knows. */
export function watchSweeps(registry: Registry, sweeper: { readonly unreadable: number }): void {
  new Gauge({
    name: 'prosody_filer_store_unreadable_entries',
    help: 'Entries of the store that the last sweep could not read and passed over',
    registers: [registry],
    collect() {
      this.set(sweeper.unreadable);
    },
  });
}
