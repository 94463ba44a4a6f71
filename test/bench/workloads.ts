const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What one request of a workload does. */
export type RequestKind = 'put' | 'get' | 'head' | 'refuse';

/** One line of the table: the same kind of request, again and again on every connection. */
export interface Workload {
  readonly name: string;
  readonly kind: RequestKind;
  /** Bytes of each body sent or received. */
  readonly size: number;
  /** Connections, each with one request in flight. */
  readonly clients: number;
  /** Bounds the disk space that one measurement takes. */
  readonly maxRequests: number;
  /** Longer for what finishes only a few times a second. */
  readonly durationFactor: number;
  /** Prosody reads 8 KiB of a connection per ms at most: that is half a minute for 100 MiB. */
  readonly isBeyondProsody?: boolean;
  /** The least ratios to nginx's requests per second by server, shared/performance.md. */
  readonly minRatios?: Readonly<Record<string, number>>;
  /** The greatest ratio to nginx's CPU time per request. */
  readonly maxCpuRatio?: number;
}

const small = { size: 10 * kibibyte, maxRequests: 100_000, durationFactor: 1 };
const medium = { size: mebibyte, maxRequests: 4000, durationFactor: 1 };
const large = { size: 100 * mebibyte, clients: 4, durationFactor: 2, isBeyondProsody: true };
const bodyless = { size: 0, clients: 32, maxRequests: 1_000_000, durationFactor: 1 };

const nginxInFront = { 'filer, try_files': 0.95 };

/** Downloads come first: Prosody knows an upload without a slot only while it is among its last 1,024. */
export const workloads: readonly Workload[] = [
  {
    name: 'GET 10 KiB',
    kind: 'get',
    ...small,
    clients: 32,
    maxRequests: 1_000_000,
    minRatios: { filer: 0.2, ...nginxInFront },
  },
  {
    name: 'GET 1 MiB',
    kind: 'get',
    ...medium,
    clients: 32,
    maxRequests: 1_000_000,
    minRatios: { filer: 0.75, ...nginxInFront, 'filer, accelRedirect': 0.6 },
  },
  {
    name: 'GET 100 MiB',
    kind: 'get',
    ...large,
    maxRequests: 1_000_000,
    minRatios: { filer: 0.95, ...nginxInFront, 'filer, accelRedirect': 0.95 },
  },
  { name: 'HEAD', kind: 'head', ...bodyless, minRatios: { filer: 0.25 } },
  { name: 'refused token', kind: 'refuse', ...bodyless },
  { name: 'PUT 10 KiB', kind: 'put', ...small, clients: 32, minRatios: { filer: 0.9 } },
  { name: 'PUT 1 MiB', kind: 'put', ...medium, clients: 16, minRatios: { filer: 0.95 }, maxCpuRatio: 0.75 },
  { name: 'PUT 100 MiB', kind: 'put', ...large, maxRequests: 40, minRatios: { filer: 0.95 } },
];

/** How many files of each size the downloads go round; HEAD asks for empty ones, on which wrk does not hang. */
export const seedCounts: ReadonlyMap<number, number> = new Map([
  [0, 32],
  [10 * kibibyte, 64],
  [mebibyte, 32],
  [100 * mebibyte, 1],
]);

/** Uploads at once, each a few bytes at a time, and the greatest peak of resident memory per process in MiB. */
export const slowUploads = { clients: 1000, size: 64 * kibibyte, steps: 16, stepMs: 100, maxRssMiB: 180 } as const;

/** The greatest peak of resident memory per process in MiB, whatever the bodies' size. */
export const maxRssMiB = 140;
