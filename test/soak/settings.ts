import type { Settings } from '../support/program.js';
import { secret } from '../support/tokens.js';
import { componentSecret } from '../support/xmpp-server.js';
import type { Limits } from './oracle.js';
import type { SlotFacts } from './slot.js';

/** Metronome's secret for deletions. */
export const deleteSecret = 'delete-secret';

/** Bytes. They are small, so that the store is full after seconds. */
export const limits: Limits = { maxStoreSize: 12_000_000, userQuota: 3_000_000, dailyQuota: 20_000_000 };

/** The largest file, in bytes. */
export const maxFileSize = 2_000_000;

export const evictMinAgeMs = 3000;

/** How long uploads stay: those with such a name, those of such a type, and all others. */
const lifetimes = { 'short_*': 6000, 'video/*': 9000, others: 20_000 } as const;

/** How long the rules keep an upload. */
export function lifetimeOf({ key, type }: Pick<SlotFacts, 'key' | 'type'>): number {
  if (/\/short_[^/]*$/.test(key)) return lifetimes['short_*'];
  return type.startsWith('video/') ? lifetimes['video/*'] : lifetimes.others;
}

/** The settings of the program, without its store. */
export function filerSettings(
  port: number,
  xmppPort: number,
  { replayWindowMs, sweepIntervalMs }: { readonly replayWindowMs: number; readonly sweepIntervalMs: number },
): Settings {
  return {
    secret,
    deleteSecret,
    workers: 2,
    maxStoreSize: `${limits.maxStoreSize}B`,
    userQuota: `${limits.userQuota}B`,
    dailyQuota: `${limits.dailyQuota}B`,
    maxFileSize: `${maxFileSize}B`,
    whenFull: 'evict',
    evictMinAge: `${evictMinAgeMs}ms`,
    expiresAfter: `${lifetimes.others}ms`,
    sweepInterval: `${sweepIntervalMs}ms`,
    replayWindow: `${replayWindowMs}ms`,
    shutdownTimeout: '2s',
    retention: [
      { match: 'short_*', expiresAfter: `${lifetimes['short_*']}ms` },
      { contentType: 'video/*', expiresAfter: `${lifetimes['video/*']}ms` },
    ],
    component: {
      jid: 'upload.example.org',
      port: xmppPort,
      secret: componentSecret,
      baseUrl: `http://127.0.0.1:${port}/upload/`,
    },
  };
}
