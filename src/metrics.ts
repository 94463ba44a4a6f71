import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** In seconds: from a small file on a fast disk to a large file over a slow line. */
const durationBuckets = [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300];

/** The metrics that a supervisor has too, in a registry of their own. The README explains each name. */
export class ProcessMetrics {
  readonly registry = new Registry();

  /** Adds the number of lost log lines, read at each scrape. */
  watchLostLogLines(count: () => number): void {
    new Counter({
      name: 'prosody_filer_log_lines_lost_total',
      help: 'Log lines that could not be written',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(count());
      },
    });
  }

  /** Adds the findings of the last sweep, read at each scrape. With several workers, only the supervisor sweeps. */
  watchSweeps(sweeper: { readonly unreadable: number }): void {
    new Gauge({
      name: 'prosody_filer_store_unreadable_entries',
      help: 'Entries of the store that the last sweep could not read',
      registers: [this.registry],
      collect() {
        this.set(sweeper.unreadable);
      },
    });
  }
}

/** The metrics of a process that serves. */
export class Metrics extends ProcessMetrics {
  readonly #registers = [this.registry];

  /** `status` is `aborted` if the connection closed before the answer was complete. */
  readonly requests = new Counter({
    name: 'prosody_filer_requests_total',
    help: 'Finished requests, by method and status of the answer (aborted: the connection closed first)',
    labelNames: ['method', 'status'],
    registers: this.#registers,
  });

  /** `reason` is an ErrorCode, a CutReason or `PIPELINE_LIMITED`. */
  readonly refusals = new Counter({
    name: 'prosody_filer_refusals_total',
    help: 'Refused requests, failures and aborted transfers, by method and reason',
    labelNames: ['method', 'reason'],
    registers: this.#registers,
  });

  readonly receivedBytes = new Counter({
    name: 'prosody_filer_received_bytes_total',
    help: 'Bytes of stored uploads',
    registers: this.#registers,
  });

  readonly sentBytes = new Counter({
    name: 'prosody_filer_sent_bytes_total',
    help: 'Bytes of complete downloads, including those left to nginx or the S3 service',
    registers: this.#registers,
  });

  readonly durations = new Histogram({
    name: 'prosody_filer_request_duration_seconds',
    help: 'Duration of requests, from the head of the request to the end of the answer',
    labelNames: ['method'],
    buckets: durationBuckets,
    registers: this.#registers,
  });

  constructor() {
    super();
    collectDefaultMetrics({ register: this.registry });
  }

  /** Adds the number of running uploads, counted at each scrape. */
  watchUploads(count: () => number): void {
    new Gauge({
      name: 'prosody_filer_uploads_in_progress',
      help: 'Uploads in progress',
      registers: this.#registers,
      collect() {
        this.set(count());
      },
    });
  }

  /** Adds the free space of the store, measured at each scrape. */
  watchFreeSpace(freeBytes: () => Promise<number>): void {
    new Gauge({
      name: 'prosody_filer_store_free_bytes',
      help: 'Free space on the filesystem of the store that prosody-filer may use',
      registers: this.#registers,
      // All workers measure the same disk.
      aggregator: 'min',
      async collect() {
        try {
          this.set(await freeBytes());
        } catch {
          // No value is better than a wrong one. /healthz reports what is wrong with the store.
          this.remove({});
        }
      },
    });
  }
}
