import type { Cell, Memory } from './results.js';
import { maxRssMiB, slowUploads, type Workload } from './workloads.js';

/** What the bench found, as it is written to the JSON file. */
export interface Summary {
  readonly workloads: readonly { readonly workload: Workload; readonly cells: ReadonlyMap<string, Cell> }[];
  readonly memory: readonly Memory[];
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

/** The targets of performance.md and whether the filer without durability and request log meets them. */
export function judge({ workloads, memory }: Summary): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const { workload, cells } of workloads) {
    const { name, minRatios = {}, maxCpuRatio } = workload;
    const { cpuRatio = 0 } = cells.get('filer') ?? {};
    const add = (what: string, sign: string, limit: number, found: number, isMet: boolean) =>
      verdicts.push({ what, target: `${sign} ${limit}`, found, isMet });
    for (const [server, minRatio] of Object.entries(minRatios)) {
      const { ratio = 0 } = cells.get(server) ?? {};
      add(`${name}, rate of ${server}`, '≥', minRatio, ratio, ratio >= minRatio);
    }
    if (maxCpuRatio !== undefined) add(`${name}, CPU`, '≤', maxCpuRatio, cpuRatio, cpuRatio <= maxCpuRatio);
  }
  const { bodiesMiB = [], slowUploadsMiB = [] } = memory.find(({ server }) => server === 'filer') ?? {};
  for (const [what, peaks, limit] of [
    ['peak RSS in MiB, bodies', bodiesMiB, maxRssMiB],
    [`peak RSS in MiB, ${slowUploads.clients} slow uploads`, slowUploadsMiB, slowUploads.maxRssMiB],
  ] as const) {
    const found = peaks.length === 0 ? Number.NaN : Math.max(...peaks);
    verdicts.push({ what, target: `≤ ${limit}`, found, isMet: found <= limit });
  }
  return verdicts;
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
      'CPU seconds per GiB, for the bodyless ms per request',
      rowsOf((cell) => format(cell?.cpuSecondsPerGib ?? cell?.cpuMsPerRequest)),
    ),
    section(
      'load generator: share of one core (from 0.9 on it may be what is measured)',
      rowsOf((cell) => `${format(cell?.generatorLoad)} ${cell?.generator ?? ''}`),
    ),
    section('peak RSS in MiB, process by process', [
      ['bodies of up to 100 MiB', ...summary.memory.map(({ bodiesMiB }) => peaks(bodiesMiB))],
      [`${slowUploads.clients} slow uploads`, ...summary.memory.map(({ slowUploadsMiB }) => peaks(slowUploadsMiB))],
    ]),
    `targets (durability = "none", logLevel = "warn")\n${toTable([
      ['', 'target', 'found', ''],
      ...verdicts.map(({ what, target, found, isMet }) => [what, target, format(found), isMet ? 'met' : 'MISSED']),
    ])}`,
  ].join('\n\n');
}
