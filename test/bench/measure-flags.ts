import path from 'node:path';
import { mainFile, nodeFlags } from '../support/command.js';
import type { Measurement, Meter } from './measure.js';
import { peakRssOf } from './processes.js';
import { cpuSecondsOfRequest, type FlagSummary, median } from './results.js';
import { type Extent, type NodeVersion, noSeeds } from './run-rounds.js';
import { type Server, startProgram } from './servers.js';
import { flagWorkload } from './workloads.js';

/** One version of Node.js with some of the flags. */
interface Variant {
  readonly node: string;
  readonly flags: string;
  readonly server: Server;
  readonly measurements: Measurement[];
}

const flagSets = [[], ...nodeFlags.map((flag) => [flag]), nodeFlags];

/** What the flags of Node.js save on the path that needs them, with each version: medians, all variants taking turns. */
export async function measureFlags(
  meter: Meter,
  folder: string,
  { rounds, seconds }: Extent,
  nodes: readonly NodeVersion[],
  onProgress: (text: string) => void,
): Promise<FlagSummary[]> {
  const variants: Variant[] = [];
  try {
    for (const { name: node, file } of nodes) {
      for (const flags of flagSets) {
        const server = await startProgram(path.join(folder, `flags-${variants.length}`), [file, ...flags, mainFile]);
        variants.push({ node, flags: flags.join(' '), server, measurements: [] });
        await meter.warmUp(server, flagWorkload, noSeeds);
      }
    }
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`flags ${round} of ${rounds}`);
      for (const { server, measurements } of variants)
        measurements.push(await meter.measure(server, flagWorkload, noSeeds, seconds, round));
    }
    return variants.map(({ node, flags, server, measurements }) => ({
      node,
      flags,
      cpuMsPerRequest: 1000 * median(measurements.map(cpuSecondsOfRequest)),
      peakMiB: Math.max(...peakRssOf(server.pids)),
    }));
  } finally {
    await Promise.all(variants.map(({ server }) => server.stop()));
  }
}
