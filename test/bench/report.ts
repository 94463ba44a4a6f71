import type { Cell, FlagSummary, Memory, StartSummary } from './results.js';
import { flagWorkload, maxRssMiB, maxStartMs, slowUploads, type Workload } from './workloads.js';

/** What the bench found, as it is written to the JSON file. */
export interface Summary {
  readonly workloads: readonly { readonly workload: Workload; readonly cells: ReadonlyMap<string, Cell> }[];
  readonly memory: readonly Memory[];
  readonly starts: readonly StartSummary[];
  readonly flags: readonly FlagSummary[];
}

/** A target, what was found, and whether that is enough. */
export interface Verdict {
  readonly what: string;
  readonly target: string;
  readonly found: number;
  readonly isMet: boolean;
}

function format(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(value >= 10 ? 3 : 2);
}

/** The rows with their columns in line, the first one to the left, the others to the right. */
function toTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  return lines.join('\n');
}

function judgeWorkload({ name, goals = {} }: Workload, cells: ReadonlyMap<string, Cell>): Verdict[] {
  return Object.entries(goals).flatMap(([server, { rate, cpu }]) => {
    const { ratio = Number.NaN, cpuRatio = Number.NaN } = cells.get(server) ?? {};
    const what = `${name}, ${server}`;
    return [
      ...(rate === undefined
        ? []
        : [{ what: `${what}: rate`, target: `≥ ${rate}`, found: ratio, isMet: ratio >= rate }]),
      ...(cpu === undefined
        ? []
        : [{ what: `${what}: CPU`, target: `≤ ${cpu}`, found: cpuRatio, isMet: cpuRatio <= cpu }]),
    ];
  });
}

/** The goals as ratios to nginx, those of memory and start, and whether they are reached. */
export function judge({ workloads, memory, starts }: Summary): Verdict[] {
  const { bodiesMiB = [], slowUploadsMiB = [] } = memory.find(({ server }) => server === 'filer') ?? {};
  const atMost = (what: string, limit: number, values: readonly number[]) => {
    const found = values.length === 0 ? Number.NaN : Math.max(...values);
    return { what, target: `≤ ${limit}`, found, isMet: found <= limit };
  };
  return [
    ...workloads.flatMap(({ workload, cells }) => judgeWorkload(workload, cells)),
    ...starts.flatMap(({ node, cpuMs, idleMiB }) => [
      atMost(`start with Node.js ${node}: CPU in ms`, maxStartMs, [cpuMs]),
      atMost(`idle with Node.js ${node}: RSS in MiB`, maxRssMiB.idle, [idleMiB]),
    ]),
    atMost('peak RSS in MiB, all workloads', maxRssMiB.bodies, bodiesMiB),
    atMost(`peak RSS in MiB, ${slowUploads.clients} slow uploads`, maxRssMiB.slowUploads, slowUploadsMiB),
  ];
}

/** The tables for people. */
export function printReport(summary: Summary, verdicts: readonly Verdict[]): string {
  const servers = summary.memory.map(({ server }) => server);
  const rowsOf = (cellOf: (cell: Cell | undefined) => string) =>
    summary.workloads.map(({ workload, cells }) => [workload.name, ...servers.map((name) => cellOf(cells.get(name)))]);
  const section = (title: string, rows: readonly (readonly string[])[]) =>
    `${title}\n${toTable([['', ...servers], ...rows])}`;
  const peaks = (values: readonly number[] = []) => values.map((value) => Math.round(value)).join(' + ');
  return [
    section(
      'requests per second (× nginx of the same round)',
      rowsOf((cell) => `${format(cell?.requestsPerSecond)} (${format(cell?.ratio)})`),
    ),
    section(
      'CPU time of a request in µs (× nginx of the same round)',
      rowsOf((cell) =>
        cell === undefined ? '–' : `${format(cell.cpuMsPerRequest * 1000)} (${format(cell.cpuRatio)})`,
      ),
    ),
    section(
      'load generator: share of one core (from 0.9 on it may be what is measured)',
      rowsOf((cell) => `${format(cell?.generatorLoad)} ${cell?.generator ?? ''}`),
    ),
    section('peak RSS in MiB, process by process', [
      ['bodies of up to 100 MiB', ...summary.memory.map(({ bodiesMiB }) => peaks(bodiesMiB))],
      [`${slowUploads.clients} slow uploads`, ...summary.memory.map(({ slowUploadsMiB }) => peaks(slowUploadsMiB))],
    ]),
    `start and idle memory\n${toTable([
      ['Node.js', 'CPU ms until it listens', 'RSS MiB', 'of it private'],
      ...summary.starts.map(({ node, cpuMs, idleMiB, privateMiB }) => [
        node,
        ...[cpuMs, idleMiB, privateMiB].map(format),
      ]),
    ])}`,
    `${flagWorkload.name} with flags of Node.js\n${toTable([
      ['Node.js', 'flags', 'CPU µs of a request', 'peak RSS MiB'],
      ...summary.flags.map(({ node, flags, cpuMsPerRequest, peakMiB }) => [
        node,
        flags === '' ? '–' : flags,
        ...[cpuMsPerRequest * 1000, peakMiB].map(format),
      ]),
    ])}`,
    `targets (durability = "none", logLevel = "warn")\n${toTable([
      ['', 'target', 'found', ''],
      ...verdicts.map(({ what, target, found, isMet }) => [what, target, format(found), isMet ? 'met' : 'MISSED']),
    ])}`,
  ].join('\n\n');
}
