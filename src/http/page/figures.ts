import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** Metrics as a registry gives them. */
type Metrics = readonly MetricObjectWithValues<MetricValue<string>>[];
type Labels = Readonly<Record<string, string | number | undefined>>;

/** A refusal: the method, or `slot`, and the reason, such as `PUT KEY_TAKEN`. */
export type Refusal = `${string} ${string}`;

/** What is counted from the start of the process on. */
export type Counted = 'uploads' | 'uploadedBytes' | 'downloads' | 'downloadedBytes' | 'slots' | Refusal;

/** The figures of the page at one time. */
export interface Figures {
  readonly counts: ReadonlyMap<Counted, number>;
  readonly usedBytes: number | undefined;
  readonly freeBytes: number | undefined;
  readonly runningUploads: number;
  readonly runningDownloads: number;
}

/** The statuses of a download from its beginning or of a part, by whoever sends it. */
const downloadStatuses = new Set(['200', '206', '302']);

/** Whether a count is one of refusals. */
export function isRefusal(counted: Counted): counted is Refusal {
  return counted.includes(' ');
}

/** Reads the figures of the page from the metrics of a process or of all workers. */
export function figuresOf(metrics: Metrics): Figures {
  const values = (name: string) => metrics.find((metric) => metric.name === `prosody_filer_${name}`)?.values ?? [];
  const single = (name: string) => values(name)[0]?.value;
  const requests = (method: string, isMeant: (status: string) => boolean) =>
    values('requests_total')
      .filter(({ labels }) => labels['method'] === method && isMeant(String(labels['status'])))
      .reduce((sum, { value }) => sum + value, 0);
  const refusals = (name: string, what: (labels: Labels) => string) =>
    values(name).map(({ labels, value }): [Refusal, number] => [`${what(labels)} ${labels['reason']}`, value]);
  return {
    counts: new Map<Counted, number>([
      ['uploads', requests('PUT', (status) => status === '201')],
      ['uploadedBytes', single('received_bytes_total') ?? 0],
      ['downloads', requests('GET', (status) => downloadStatuses.has(status))],
      ['downloadedBytes', single('sent_bytes_total') ?? 0],
      ['slots', single('slots_given_total') ?? 0],
      ...refusals('refusals_total', ({ method }) => String(method)),
      ...refusals('slots_refused_total', () => 'slot'),
    ]),
    usedBytes: single('store_used_bytes'),
    freeBytes: single('store_free_bytes'),
    runningUploads: single('uploads_in_progress') ?? 0,
    runningDownloads: single('downloads_in_progress') ?? 0,
  };
}
