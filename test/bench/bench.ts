// npm run bench: the built filer beside plain nginx and Prosody's mod_http_file_share, in turns on the same machine.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { projectFolder } from '../support/command.js';
import { missingPeer } from '../support/peers.js';
import { Meter } from './measure.js';
import { measureFlags } from './measure-flags.js';
import { judge, printReport } from './report.js';
import { summarizeWorkload } from './results.js';
import { measureMemory, measureStarts, type NodeVersion, runRounds } from './run-rounds.js';
import { startServers } from './servers.js';
import { workloads } from './workloads.js';
import { hasWrk } from './wrk.js';

const usage = `Usage: npm run bench -- [options]

  --rounds N      rounds, of which the medians are shown (5)
  --seconds S     length of each measurement; twice that for 100 MiB, and wrk takes whole seconds (1)
  --only NAME     only workloads with NAME in their names, such as "PUT" or "10 KiB"; may be repeated
  --folder DIR    where the uploads lie, best on a fresh filesystem (.cache/bench; on-fresh-disk.sh)
  --json FILE     where to write everything (.cache/bench/result.json)

BENCH_PEER="/path/to/filer --config {config}" adds another program that takes the configuration of prosody-filer. Node.js 22 and
24 in .cache/node22 and .cache/node24, where .ci/run installs them, are measured for start, memory and flags.
`;
const options = {
  rounds: { type: 'string', default: '5' },
  seconds: { type: 'string', default: '1' },
  only: { type: 'string', multiple: true, default: [] as string[] },
  folder: { type: 'string', default: path.join(projectFolder, '.cache/bench') },
  json: { type: 'string', default: path.join(projectFolder, '.cache/bench/result.json') },
  help: { type: 'boolean', short: 'h', default: false },
} as const;
const run = promisify(execFile);

/** A fresh folder, in a block group of its own where ext4 is told so: it avoids inodes that a run before has freed. */
async function makeRunFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  await run('chattr', ['+T', parent]).catch(() => undefined);
  return mkdtemp(path.join(parent, 'run-'));
}

/** This Node.js, and those that .ci/run has installed. */
async function findNodes(): Promise<NodeVersion[]> {
  const fileOf = (version: number) =>
    path.join(projectFolder, `.cache/node${version}/node_modules/node-linux-${process.arch}/bin/node`);
  const files = [process.execPath, ...[22, 24].map(fileOf).filter((file) => existsSync(file))];
  return Promise.all(files.map(async (file) => ({ name: (await run(file, ['--version'])).stdout.trim(), file })));
}

async function main(): Promise<void> {
  // Each server listens for the end of this process.
  process.setMaxListeners(50);
  const { rounds, seconds, only, folder: parent, json, help } = parseArgs({ options }).values;
  const chosen = workloads.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  const extent = { rounds: Number(rounds), seconds: Number(seconds) };
  if (help || chosen.length === 0 || !(extent.rounds >= 1) || !(extent.seconds > 0)) {
    process.stdout.write(usage);
    process.exitCode = help ? 0 : 2;
    return;
  }
  const missing = missingPeer('nginx', 'prosody');
  if (missing !== undefined) throw new Error(missing);
  if (!hasWrk()) process.stderr.write('without wrk the load generator limits small downloads (install-tools.sh)\n');

  const folder = await makeRunFolder(parent);
  const meter = new Meter(folder, hasWrk());
  try {
    const servers = await startServers(folder);
    try {
      const progress = (text: string) => process.stderr.write(`${text}\n`);
      const measurements = await runRounds(meter, servers, chosen, extent, progress);
      const memory = await measureMemory(meter, servers, progress);
      const summaries = chosen.map((workload) => ({ workload, cells: summarizeWorkload(workload, measurements) }));
      const nodes = await findNodes();
      const starts = await measureStarts(folder, extent.rounds, nodes, progress);
      const flags = await measureFlags(meter, folder, extent, nodes, progress);
      const summary = { workloads: summaries, memory, starts, flags };
      const verdicts = judge(summary);
      process.stdout.write(`${printReport(summary, verdicts)}\n`);
      const medians = summaries.map(({ workload, cells }) => ({ workload, servers: Object.fromEntries(cells) }));
      const machine = { cpus: cpus().map(({ model }) => model), node: process.version, at: new Date().toISOString() };
      const everything = { machine, extent, medians, memory, starts, flags, verdicts, measurements };
      await mkdir(path.dirname(json), { recursive: true });
      await writeFile(json, `${JSON.stringify(everything, undefined, 2)}\n`);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  } finally {
    meter.stop();
    await run('rm', ['-rf', folder]);
  }
}

await main();
