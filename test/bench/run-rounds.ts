import path from 'node:path';
import type { Measurement, Meter, Seeds } from './measure.js';
import { peakRssOf, resetPeakRss } from './processes.js';
import { type Memory, median, type StartSummary } from './results.js';
import { measureStart, type Server, type Start } from './servers.js';
import { slowUploads, type Workload } from './workloads.js';

/** How much is measured. */
export interface Extent {
  readonly rounds: number;
  /** Of each workload on each server in each round. */
  readonly seconds: number;
}

/** An installed Node.js. */
export interface NodeVersion {
  readonly name: string;
  readonly file: string;
}

/** For workloads that download nothing. */
export const noSeeds: Seeds = new Map();

/** Begins with another server each round, so that none always follows the same one. */
function rotate<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function isMeasured({ peer, kinds }: Server, { kind, isBeyondProsody }: Workload): boolean {
  return kinds.includes(kind) && !(isBeyondProsody && peer.dialect === 'prosody');
}

/** Measures every workload on every server, round by round, all servers taking turns within each workload. */
export async function runRounds(
  meter: Meter,
  servers: readonly Server[],
  workloads: readonly Workload[],
  { rounds, seconds }: Extent,
  onProgress: (text: string) => void,
): Promise<Measurement[]> {
  const downloads = workloads.filter(({ kind }) => kind === 'get' || kind === 'head');
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const seeds = new Map<Server, Seeds>();
    for (const server of servers) seeds.set(server, await meter.seed(server, downloads));
    for (const workload of workloads) {
      onProgress(`round ${round} of ${rounds}: ${workload.name}`);
      for (const server of rotate(servers, round)) {
        if (!isMeasured(server, workload)) continue;
        const own = seeds.get(server) ?? noSeeds;
        if (round === 1) await meter.warmUp(server, workload, own);
        measurements.push(await meter.measure(server, workload, own, seconds, round));
      }
    }
    for (const [server, own] of seeds) await meter.unseed(server, own);
  }
  return measurements;
}

/** The peaks of memory of what was measured, then of slow uploads at once. */
export async function measureMemory(
  meter: Meter,
  servers: readonly Server[],
  onProgress: (text: string) => void,
): Promise<Memory[]> {
  onProgress('slow uploads');
  const memory: Memory[] = [];
  for (const server of servers) {
    const bodiesMiB = peakRssOf(server.pids);
    if (!server.kinds.includes('put')) {
      memory.push({ server: server.name, bodiesMiB });
      continue;
    }
    resetPeakRss(server.pids);
    const slowUploadsMiB = await meter.uploadSlowly(server, slowUploads).then(
      () => peakRssOf(server.pids),
      (error: Error) => onProgress(`${server.name}: slow uploads failed: ${error.message}`),
    );
    memory.push({ server: server.name, bodiesMiB, ...(slowUploadsMiB && { slowUploadsMiB }) });
  }
  return memory;
}

/** The medians of several starts with each Node.js, all taking turns. */
export async function measureStarts(
  folder: string,
  rounds: number,
  nodes: readonly NodeVersion[],
  onProgress: (text: string) => void,
): Promise<StartSummary[]> {
  const starts = new Map<string, Start[]>(nodes.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    onProgress(`start ${round} of ${rounds}`);
    for (const { name, file } of nodes) {
      starts.get(name)?.push(await measureStart(path.join(folder, `start-${name}-${round}`), file));
    }
  }
  return [...starts].map(([node, all]) => ({
    node,
    cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
    idleMiB: median(all.map(({ idle }) => idle.rssMiB)),
    privateMiB: median(all.map(({ idle }) => idle.privateMiB)),
  }));
}
