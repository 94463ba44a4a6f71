import type { Peer } from './requests.js';
import type { RequestKind } from './workloads.js';

/** What the load generator is asked to do: as many requests as fit into a time, or one for each of given slots. */
export interface Job {
  readonly peer: Peer;
  readonly kind: RequestKind;
  readonly size: number;
  readonly clients: number;
  /** Whether each request has a connection of its own. */
  readonly isReconnecting?: boolean;
  /** No request begins later than this; those that run are waited for. */
  readonly seconds: number;
  readonly maxRequests: number;
  /** What to ask for in turn; an upload without any takes a new one each time. */
  readonly slots?: readonly string[];
  /** Sends each body in this many steps, so long apart. */
  readonly slowly?: { readonly steps: number; readonly stepMs: number };
}

/** What came of a job. */
export interface JobResult {
  readonly requests: number;
  /** From the first request until the last answer. */
  readonly seconds: number;
  /** CPU time of the generator meanwhile. */
  readonly cpuSeconds: number;
  /** The slots of all uploads. */
  readonly slots: readonly string[];
}
