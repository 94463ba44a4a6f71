const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What one request of a workload does. */
export type RequestKind = 'put' | 'get' | 'head' | 'refuse';

/** What a server must reach in a workload, as ratios to plain nginx in the same round. */
export interface Goal {
  /** The lowest ratio of requests per second. */
  readonly rate?: number;
  /** The highest ratio of CPU time per request. */
  readonly cpu?: number;
}

/** One line of the table: the same kind of request, again and again on every connection. */
export interface Workload {
  readonly name: string;
  readonly kind: RequestKind;
  /** Bytes of each body sent or received. */
  readonly size: number;
  /** Connections, each with one request in flight. */
  readonly clients: number;
  /** Whether each request has a connection of its own. */
  readonly isReconnecting?: boolean;
  /** Bounds the disk space that one measurement takes. */
  readonly maxRequests: number;
  /** Longer for what finishes only a few times a second. */
  readonly durationFactor: number;
  /** Prosody reads at most 8 KiB of a connection per ms: 100 MiB take half a minute. */
  readonly isBeyondProsody?: boolean;
  /** The goals by server. */
  readonly goals?: Readonly<Record<string, Goal>>;
}

const manyFilesBytes = 10 * kibibyte + 1;
const small = { size: 10 * kibibyte, maxRequests: 100_000, durationFactor: 1 };
const medium = { size: mebibyte, maxRequests: 4000, durationFactor: 1 };
const large = { size: 100 * mebibyte, clients: 4, durationFactor: 2, isBeyondProsody: true };
const bodyless = { size: 0, clients: 32, maxRequests: 1_000_000, durationFactor: 1 };

/** The workload that the flags of Node.js are for. */
export const flagWorkload: Workload = { name: 'PUT 1 MiB', kind: 'put', ...medium, clients: 16 };

/** Downloads come first: Prosody knows an upload without a slot only while it is among its last 1,024. */
export const workloads: readonly Workload[] = [
  {
    name: 'GET 10 KiB',
    kind: 'get',
    ...small,
    clients: 32,
    maxRequests: 1_000_000,
    goals: { filer: { rate: 0.27, cpu: 4 }, 'behind nginx': { rate: 0.25 }, 'behind nginx (c)': { rate: 0.95 } },
  },
  { name: 'GET 10 KiB, 1 client', kind: 'get', ...small, clients: 1, maxRequests: 1_000_000 },
  {
    name: 'GET 10 KiB, new connections',
    kind: 'get',
    ...small,
    clients: 32,
    isReconnecting: true,
    maxRequests: 1_000_000,
  },
  // prosody-filer keeps open what is asked for again among 128 files. It opens each of these anew. Seeds go by size, so it is another one.
  {
    name: 'GET 10 KiB of 512 files',
    kind: 'get',
    ...small,
    size: manyFilesBytes,
    clients: 32,
    maxRequests: 1_000_000,
  },
  {
    name: 'GET 1 MiB',
    kind: 'get',
    ...medium,
    clients: 32,
    maxRequests: 1_000_000,
    goals: {
      filer: { rate: 0.8, cpu: 1.3 },
      'behind nginx': { rate: 0.75 },
      'behind nginx (c)': { rate: 0.95 },
    },
  },
  {
    name: 'GET 100 MiB',
    kind: 'get',
    ...large,
    maxRequests: 1_000_000,
    goals: {
      filer: { rate: 1.2, cpu: 1 },
      'behind nginx': { rate: 0.95 },
      'behind nginx (c)': { rate: 0.95 },
    },
  },
  { name: 'HEAD', kind: 'head', ...bodyless, goals: { filer: { rate: 0.3, cpu: 4 } } },
  { name: 'refused token', kind: 'refuse', ...bodyless },
  {
    name: 'PUT 10 KiB',
    kind: 'put',
    ...small,
    clients: 32,
    goals: { filer: { rate: 0.85, cpu: 1.6 }, 'filer, sync': { rate: 0.45 } },
  },
  { name: 'PUT 10 KiB, 1 client', kind: 'put', ...small, clients: 1 },
  {
    name: 'PUT 100 KiB, new connections',
    kind: 'put',
    ...small,
    size: 100 * kibibyte,
    maxRequests: 20_000,
    clients: 32,
    isReconnecting: true,
  },
  {
    ...flagWorkload,
    goals: { filer: { rate: 1, cpu: 0.75 }, 'filer, sync': { rate: 0.6 } },
  },
  {
    name: 'PUT 100 MiB',
    kind: 'put',
    ...large,
    maxRequests: 40,
    goals: { filer: { rate: 1.2, cpu: 0.9 } },
  },
];

/** How many files of each size the downloads go round; HEAD asks for empty ones, on which wrk does not hang. */
export const seedCounts: ReadonlyMap<number, number> = new Map([
  [0, 32],
  [10 * kibibyte, 64],
  [manyFilesBytes, 512],
  [mebibyte, 32],
  [100 * mebibyte, 1],
]);

/** Uploads at once, each a few bytes at a time. */
export const slowUploads = { clients: 1000, size: 64 * kibibyte, steps: 16, stepMs: 100 } as const;

/** The highest resident memory of a process in MiB: idle, at its peak after all workloads, and with slow uploads. */
export const maxRssMiB = { idle: 62, bodies: 115, slowUploads: 140 } as const;

/** The most CPU time from the start of the program until it listens, in ms. */
export const maxStartMs = 250;
