import type { Counted, Figures } from '../../src/http/page/figures.js';
import { bucketCount, bucketMs, History } from '../../src/http/page/history.js';
import type { Overview } from '../../src/http/page/overview.js';
import { hourMs } from '../../src/units.js';

const now = Date.UTC(2026, 10, 28, 12);
const GB = 1e9;

/** Figures with these counts, and nothing else. */
export function figuresWith(counts: Partial<Record<Counted, number>>, different: Partial<Figures> = {}): Figures {
  const entries = Object.entries(counts) as [Counted, number][];
  const none = { usedBytes: undefined, freeBytes: undefined, runningUploads: 0, runningDownloads: 0 };
  return { ...none, ...different, counts: new Map(entries) };
}

/** What the page shows of a program that has just started with an empty store. */
export function emptyOverview(different: Partial<Overview> = {}): Overview {
  const figures = figuresWith({}, { usedBytes: 0, freeBytes: 81.8 * GB });
  const history = new History(() => 0);
  history.record(figures);
  return {
    now,
    startedAt: now - 42_000,
    storage: '/var/lib/prosody-filer/upload',
    limits: { maxStoreSize: undefined, minFreeSpace: 0, evictsWhenFull: false },
    figures,
    figuresFailure: undefined,
    history,
    component: undefined,
    lastSweep: {
      ...{ files: 0, bytes: 0, deletedFiles: 0, deletedBytes: 0, unreadable: 0 },
      endedAt: now - 41_000,
      durationMs: 3,
    },
    nextSweepAt: now - 41_000 + hourMs,
    sweepFailure: undefined,
    uploaders: [],
    ...different,
  };
}

/** Figures of 24 hours with more traffic by day than by night, and a store that fills up to so many bytes. */
function recordDay(usedAtEnd: number, sizeOfDisk: number): Pick<Overview, 'figures' | 'history'> {
  let time = 0;
  const history = new History(() => time);
  let figures = figuresWith({});
  const sums: Partial<Record<Counted, number>> = {};
  const count = (name: Counted, increase: number) => {
    sums[name] = (sums[name] ?? 0) + Math.round(increase);
  };
  for (let bucket = 0; bucket < bucketCount; bucket += 1) {
    time = bucket * bucketMs;
    const activity = 1.2 - Math.cos((bucket / bucketCount) * 2 * Math.PI) + ((bucket * 7919) % 13) / 13;
    count('uploads', 4 * activity);
    count('uploadedBytes', 9e6 * activity);
    count('downloads', 31 * activity);
    count('downloadedBytes', 120e6 * activity);
    count('slots', 4.4 * activity);
    if (bucket % 9 === 0) count('PUT KEY_TAKEN', 1);
    if (bucket % 5 === 0) count('GET NOT_FOUND', 3);
    if (bucket % 40 === 0) count('PUT TOKEN_REFUSED', 1);
    if (bucket % 60 === 0) count('slot SLOTS_LIMITED', 2);
    if (bucket % 70 === 0) count('GET DOWNLOAD_STALLED', 1);
    const usedBytes = usedAtEnd * (0.9 + (0.1 * bucket) / bucketCount);
    const running = { runningUploads: 3, runningDownloads: 12 };
    figures = figuresWith(sums, { usedBytes, freeBytes: sizeOfDisk - usedBytes, ...running });
    history.record(figures);
  }
  return { figures, history };
}

/** What the page shows of a program that has been busy for days. */
export function busyOverview(different: Partial<Overview> = {}): Overview {
  return emptyOverview({
    ...recordDay(33.6 * GB, 81.8 * GB),
    startedAt: now - 76.4 * hourMs,
    limits: { maxStoreSize: 50 * GB, minFreeSpace: GB, evictsWhenFull: false },
    component: { jid: 'upload.example.org', isConnected: true, since: now - 52.3 * hourMs },
    lastSweep: {
      ...{ files: 12_345, bytes: 33.2 * GB, deletedFiles: 87, deletedBytes: 214e6, unreadable: 0 },
      endedAt: now - 13 * 60_000,
      durationMs: 2140,
    },
    nextSweepAt: now + 47 * 60_000,
    uploaders: Array.from({ length: 10 }, (_, index) => ({
      id: `${index}3fa92c41d0be`.padEnd(64, '8c'),
      bytes: (9.1 * GB) / (index + 1),
    })),
    ...different,
  });
}

/** What the page shows of a program with a full disk and without its XMPP server. */
export function fullOverview(): Overview {
  return busyOverview({
    ...recordDay(81.2 * GB, 81.8 * GB),
    limits: { maxStoreSize: 81.5 * GB, minFreeSpace: GB, evictsWhenFull: false },
    component: {
      jid: 'upload.example.org',
      isConnected: false,
      since: now - 5.2 * 60_000,
      reason:
        'component.secret: the XMPP server refused it. Set it to the secret that the XMPP server has for this component.',
    },
    sweepFailure: 'the disk failed (EIO: i/o error, scandir)',
    nextSweepAt: now + 21_000,
  });
}
