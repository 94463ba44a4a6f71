import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ, which proc(5) counts CPU time in: 100 on every Linux that Node supports. */
const ticksPerSecond = 100;

/** Fields of proc(5) stat after the command's name, of which the first is the state (field 3). */
function statFields(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** The processes of a server (pids): the one whose command line names this file, and all of its process group. */
export function processesOf(configFile: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const leader = pids.find((pid) => {
    try {
      return statFields(pid)[2] === pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(configFile);
    } catch {
      return false;
    }
  });
  if (leader === undefined) throw new Error(`no process has ${configFile} on its command line`);
  return pids.filter((pid) => statFields(pid)[2] === leader);
}

function sumOfTicks(pid: string, fields: readonly number[]): number {
  const stat = statFields(pid);
  return fields.reduce((sum, field) => sum + Number(stat[field - 3] ?? 0), 0) / ticksPerSecond;
}

/** User and system time of the processes in seconds. */
export function cpuSecondsOf(pids: readonly string[]): number {
  return pids.reduce((sum, pid) => sum + sumOfTicks(pid, [14, 15]), 0);
}

/** User and system time in seconds of those children of this process that have ended. */
export function cpuSecondsOfEndedChildren(): number {
  return sumOfTicks('self', [16, 17]);
}

/** The greatest resident memory so far of each process in MiB. */
export function peakRssOf(pids: readonly string[]): number[] {
  return pids.map((pid) => {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) / 1024;
  });
}

/** Lets the peaks begin anew at what is resident now (proc(5), clear_refs). */
export function resetPeakRss(pids: readonly string[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The memory of a process in MiB: all that is resident, and what it shares with no other. */
export interface IdleMemory {
  readonly rssMiB: number;
  readonly privateMiB: number;
}

/** The memory of a process now (proc(5), smaps_rollup). */
export function idleMemoryOf(pid: string): IdleMemory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const sumOf = (line: RegExp) => [...rollup.matchAll(line)].reduce((sum, [, kibibytes]) => sum + Number(kibibytes), 0);
  return { rssMiB: sumOf(/^Rss:\s+(\d+)/gm) / 1024, privateMiB: sumOf(/^Private_\w+:\s+(\d+)/gm) / 1024 };
}
