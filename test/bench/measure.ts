import { Generator } from './generator.js';
import type { Job, JobResult } from './generator-jobs.js';
import { cpuSecondsOf } from './processes.js';
import { newSlot } from './requests.js';
import type { Server } from './servers.js';
import { emptyFiles, verifyUploads } from './verify-uploads.js';
import { seedCounts, type Workload } from './workloads.js';
import { runWrk } from './wrk.js';

/** One workload on one server in one round. */
export interface Measurement {
  readonly workload: string;
  readonly server: string;
  readonly round: number;
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly serverCpuSeconds: number;
  /** 1: it kept one core busy. */
  readonly generatorLoad: number;
  readonly generator: 'wrk' | 'node';
}

/** Seeded slots by size. */
export type Seeds = ReadonlyMap<number, readonly string[]>;

/** Longer for what compiles its code only when it has run for a while. */
const warmUpSeconds = { filer: 4, nginx: 0.5, prosody: 0.5 } as const;
/** Below this size wrk costs less than Node; above it wrk is the slower one (performance.md). */
const wrkBytes = 64 * 1024;

/** Measures servers with the load generator of this run, and checks every upload that it makes. */
export class Meter {
  readonly #generator = new Generator();
  readonly #folder: string;
  readonly #usesWrk: boolean;

  /** `folder` takes the generator's own files. */
  constructor(folder: string, usesWrk: boolean) {
    this.#folder = folder;
    this.#usesWrk = usesWrk;
  }

  /** Uploads what the downloads ask for; Prosody never answers the upload of an empty file, and gets a small one. */
  async seed(server: Server, downloads: readonly Workload[]): Promise<Seeds> {
    const seeds = new Map<number, string[]>();
    for (const [wanted, count] of seedCounts) {
      const isAsked = downloads.some((load) => load.size === wanted && !(load.isBeyondProsody && isProsody(server)));
      if (!isAsked) continue;
      const size = isProsody(server) && wanted === 0 ? 1 : wanted;
      const slots = Array.from({ length: count }, newSlot);
      const job: Job = { peer: server.peer, kind: 'put', size, clients: 32, seconds: 60, maxRequests: count, slots };
      await this.#generator.run(job);
      await verifyUploads(slots, size, server.fileOf, true);
      seeds.set(wanted, slots);
    }
    return seeds;
  }

  /** Frees the disk of the seeds' bytes. */
  async unseed(server: Server, seeds: Seeds): Promise<void> {
    for (const slots of seeds.values()) await emptyFiles(slots.map(server.fileOf));
  }

  /** A short unmeasured run. */
  async warmUp(server: Server, workload: Workload, seeds: Seeds): Promise<void> {
    const job = toJob(server, workload, seeds, warmUpSeconds[server.peer.dialect]);
    const { slots } = await this.#generator.run(job);
    await verifyUploads(slots, workload.size, server.fileOf);
  }

  async measure(
    server: Server,
    workload: Workload,
    seeds: Seeds,
    seconds: number,
    round: number,
  ): Promise<Measurement> {
    const job = toJob(server, workload, seeds, seconds * workload.durationFactor);
    // wrk waits for the body that a HEAD announces.
    const isHanging = isProsody(server) && workload.kind === 'head';
    const isWrk = this.#usesWrk && workload.kind !== 'put' && workload.size < wrkBytes && !isHanging;
    const cpuAtStart = cpuSecondsOf(server.pids);
    const result = isWrk ? await runWrk(job, this.#folder) : await this.#generator.run(job);
    const serverCpuSeconds = cpuSecondsOf(server.pids) - cpuAtStart;
    await verifyUploads(result.slots, workload.size, server.fileOf);
    return {
      ...summarize(result),
      workload: workload.name,
      server: server.name,
      round,
      serverCpuSeconds,
      generator: isWrk ? 'wrk' : 'node',
    };
  }

  /** A thousand uploads at once that trickle. */
  async uploadSlowly(server: Server, load: { clients: number; size: number; steps: number; stepMs: number }) {
    const { clients, size } = load;
    const job: Job = { peer: server.peer, kind: 'put', size, clients, seconds: 0, maxRequests: clients, slowly: load };
    const { slots } = await this.#generator.run(job);
    await verifyUploads(slots, size, server.fileOf);
  }

  stop(): void {
    this.#generator.stop();
  }
}

function isProsody({ peer }: Server): boolean {
  return peer.dialect === 'prosody';
}

function toJob({ peer }: Server, workload: Workload, seeds: Seeds, seconds: number): Job {
  const { kind, size, clients, isReconnecting = false, maxRequests } = workload;
  const slots = kind === 'get' || kind === 'head' ? seeds.get(size) : undefined;
  return { peer, kind, size, clients, isReconnecting, seconds, maxRequests, ...(slots === undefined ? {} : { slots }) };
}

function summarize({ requests, seconds, cpuSeconds }: JobResult) {
  return { requests, seconds, requestsPerSecond: requests / seconds, generatorLoad: cpuSeconds / seconds };
}
