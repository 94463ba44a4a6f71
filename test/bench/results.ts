import type { Measurement } from './measure.js';
import type { Workload } from './workloads.js';

/** One server's medians in one workload, the ratios to nginx being those of the same round. */
export interface Cell {
  readonly requestsPerSecond: number;
  readonly cpuMsPerRequest: number;
  readonly generatorLoad: number;
  readonly generator: string;
  readonly ratio: number;
  readonly cpuRatio: number;
}

/** The peak of resident memory in MiB of each of a server's processes. */
export interface Memory {
  readonly server: string;
  /** After all measured rounds, with bodies of up to 100 MiB. */
  readonly bodiesMiB: readonly number[];
  /** Of 1,000 slow uploads at once, counted anew; missing where they failed. */
  readonly slowUploadsMiB?: readonly number[];
}

/** What starts of the program cost with one Node.js: medians. */
export interface StartSummary {
  readonly node: string;
  /** CPU time until it listened. */
  readonly cpuMs: number;
  readonly idleMiB: number;
  readonly privateMiB: number;
}

/** What uploads of 1 MiB cost with one Node.js started with these flags. */
export interface FlagSummary {
  readonly node: string;
  readonly flags: string;
  readonly cpuMsPerRequest: number;
  readonly peakMiB: number;
}

/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}

/** The server's CPU time in seconds for each request. */
export function cpuSecondsOfRequest({ serverCpuSeconds, requests }: Measurement): number {
  return serverCpuSeconds / requests;
}

/** The medians of a workload by server. */
export function summarizeWorkload(workload: Workload, measurements: readonly Measurement[]): Map<string, Cell> {
  const own = measurements.filter((measurement) => measurement.workload === workload.name);
  const nginx = new Map(own.filter(({ server }) => server === 'nginx').map((entry) => [entry.round, entry]));
  const cells = new Map<string, Cell>();
  for (const server of new Set(own.map((entry) => entry.server))) {
    const rounds = own.filter((entry) => entry.server === server);
    const compare = (of: (entry: Measurement) => number) =>
      median(
        rounds.flatMap((entry) => {
          const other = nginx.get(entry.round);
          return other === undefined ? [] : [of(entry) / of(other)];
        }),
      );
    const cpuSeconds = median(rounds.map(cpuSecondsOfRequest));
    cells.set(server, {
      requestsPerSecond: median(rounds.map((entry) => entry.requestsPerSecond)),
      cpuMsPerRequest: cpuSeconds * 1000,
      generatorLoad: median(rounds.map((entry) => entry.generatorLoad)),
      generator: rounds[0]?.generator ?? '',
      ratio: compare((entry) => entry.requestsPerSecond),
      cpuRatio: compare(cpuSecondsOfRequest),
    });
  }
  return cells;
}
