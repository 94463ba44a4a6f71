import { countUploads, type NamedTotal } from '../../retention/count-uploads.js';
import type { Retention } from '../../retention/expiry.js';
import type { Walk } from '../../retention/user-uploads.js';
import type { FreeSpace, Store } from '../../storage/store.js';
import { countOf, formatSize } from '../../units.js';
import type { UploaderIds } from '../../upload/uploader.js';
import type { Command } from './command.js';
import { listForm } from './data-form.js';
import type { Jobs } from './jobs.js';
import { totalText } from './upload-texts.js';

/** What the statistics depend on. */
export interface StatisticsContext {
  readonly store: Pick<Store, 'list'> & Partial<FreeSpace>;
  readonly retention: Retention;
  readonly uploaderIds: UploaderIds;
  readonly jobs: Jobs;
  /** ms since the epoch. */
  readonly now: () => number;
}

const title = 'Statistics';
const maxTypes = 10;

function lines(totals: readonly NamedTotal[]): string[] {
  return totals.map(({ name, ...total }) => `${name}: ${totalText(total)}`);
}

/** The admin's command that shows what is stored. */
export function statistics({ store, retention, uploaderIds, jobs, now }: StatisticsContext): Command {
  const plan = {
    texts: { title, instructions: 'Counting takes longer than usual. Choose the next step to go on waiting.' },
    progress: (files: number) => `Counted ${countOf(files, 'upload')} so far.`,
    isReplaceable: true,
    work: async ({ signal, count }: Walk) => {
      const found = await countUploads(store.list({ signal }), retention, uploaderIds, now(), count);
      signal.throwIfAborted();
      return { ...found, free: await store.freeBytes?.() };
    },
  };
  return {
    node: 'statistics',
    name: title,
    start: (jid) =>
      jobs.run(jid, plan, async ({ types, ages, expiries, uploaders, free, ...total }) => {
        const texts = { title, instructions: `In the store: ${totalText(total)}.` };
        const paragraphs = {
          ...(free !== undefined && { 'Free space': [formatSize(free)] }),
          'By type': lines(types.slice(0, maxTypes)),
          'By age': lines(ages),
          'By expiry': lines(expiries),
          'Largest uploaders': lines(uploaders),
        };
        return { payload: [listForm(texts, paragraphs)], actions: {} };
      }),
  };
}
