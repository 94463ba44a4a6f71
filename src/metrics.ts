import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** In seconds: from a small file on a fast disk to a large file over a slow line. */
const durationBuckets = [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300];

/** No value is better than a wrong one. */
function setIfKnown(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove({});
  else gauge.set(value);
}

/** What the sweeps have found. */
export interface SweepResults {
  /** Entries that the last sweep could not read. */
  readonly unreadable: number;
  /** The last complete sweep; its end is in ms since the epoch. */
  readonly last: { readonly endedAt: number } | undefined;
}

/** The metrics that a supervisor has too, in a registry of their own. The help of each explains it to operators. */
export class ProcessMetrics {
  readonly registry = new Registry();

  readonly slotsGiven = new Counter({
    name: 'prosody_filer_slots_given_total',
    help: 'Slots that [component] has given',
    registers: [this.registry],
  });

  /** `reason` is an ErrorCode or `UNEXPECTED`. */
  readonly slotsRefused = new Counter({
    name: 'prosody_filer_slots_refused_total',
    help: 'Slot requests that [component] has refused, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });

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
  watchSweeps(sweeper: SweepResults): void {
    new Gauge({
      name: 'prosody_filer_store_unreadable_entries',
      help: 'Entries of the store that the last sweep could not read',
      registers: [this.registry],
      collect() {
        this.set(sweeper.unreadable);
      },
    });
    new Gauge({
      name: 'prosody_filer_last_sweep_timestamp_seconds',
      help: 'When the last complete sweep ended, in seconds since 1970',
      registers: [this.registry],
      collect() {
        setIfKnown(this, sweeper.last && sweeper.last.endedAt / 1000);
      },
    });
  }

  /** Adds the bytes of all uploads, which are unknown until the first sweep has counted them. */
  watchUsedSpace(usedBytes: () => number | undefined): void {
    new Gauge({
      name: 'prosody_filer_store_used_bytes',
      help: 'Bytes of all uploads as maxStoreSize counts them',
      registers: [this.registry],
      collect() {
        setIfKnown(this, usedBytes());
      },
    });
  }

  /** Adds whether the XMPP server is connected, read at each scrape. */
  watchComponent(isConnected: () => boolean): void {
    new Gauge({
      name: 'prosody_filer_component_connected',
      help: '1 while [component] is connected to the XMPP server, else 0',
      registers: [this.registry],
      collect() {
        this.set(isConnected() ? 1 : 0);
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

  /** `reason` is an ErrorCode, a CutReason, `PIPELINE_LIMITED` or `UNEXPECTED`. */
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

  readonly downloadsInProgress = new Gauge({
    name: 'prosody_filer_downloads_in_progress',
    help: 'GET requests in progress',
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
        // /healthz reports what is wrong with the store.
        setIfKnown(this, await freeBytes().catch(() => undefined));
      },
    });
  }
}
