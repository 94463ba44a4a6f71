import { buildApp } from '../../src/http/app.js';
import type { HttpSettings } from '../../src/http/settings.js';
import type { Metrics } from '../../src/metrics.js';
import { compileRetention, type RetentionSettings } from '../../src/retention/expiry.js';
import type { LimitSettings } from '../../src/retention/limits.js';
import { openRetention } from '../../src/retention/open-retention.js';
import { Quotas } from '../../src/retention/quotas.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ServedStore, TombstonePhase } from '../../src/storage/store.js';
import { noLimits } from './no-limits.js';
import { type Teardown, tempDir } from './temp-dir.js';
import { secret } from './tokens.js';
import { uploaderIds } from './uploader-ids.js';

/** The settings of its server that a test may change. */
export interface ServerOverrides extends Partial<HttpSettings> {
  readonly storeDir?: string;
  readonly now?: () => number;
  readonly metrics?: Metrics;
  readonly retention?: RetentionSettings;
  readonly limits?: Partial<LimitSettings>;
  /** Not set: deletions leave no tombstones. */
  readonly tombstonePhase?: (ageMs: number) => TombstonePhase;
  /** Puts something between the app and the disk store. */
  readonly wrapStore?: (store: ServedStore) => ServedStore;
}

/** A server on a real socket, with the disk store. */
export interface TestServer {
  readonly origin: string;
  readonly storeDir: string;
  readonly store: ServedStore;
  /** One object per log line, in order. */
  readonly logLines: Record<string, unknown>[];
  /** Counts what is stored, for which limits wait. */
  sweep(): Promise<unknown>;
}

/** Starts the app in this process on a free port with a new storeDir and `mysecret`; the test's end stops it. */
export async function startServer(t: Teardown, overrides: ServerOverrides = {}): Promise<TestServer> {
  const {
    storeDir = await tempDir(t),
    now = Date.now,
    retention = { rules: [] },
    limits = {},
    tombstonePhase = () => 'removable',
    wrapStore = (store) => store,
    metrics,
    ...settings
  } = overrides;
  const { jidInUrlDomain } = settings;
  const logLines: Record<string, unknown>[] = [];
  const log = (line: unknown) => logLines.push(line as Record<string, unknown>);
  const { store } = await openStore({
    storeDir,
    isDurable: false,
    stallTimeoutMs: 60_000,
    tombstonePhase,
    jidInUrlDomain,
  });
  const logger = { info: log, warn: log, error: log, isLevelEnabled: () => true };
  const compiled = compileRetention(retention);
  const limitSettings = { ...noLimits, evictMinAgeMs: 0, ...limits };
  const opened = openRetention(store, compiled, limitSettings, { uploaderIds, logger, now });
  const app = buildApp({
    store: wrapStore(store),
    settings: {
      secrets: [secret],
      strictContentType: false,
      maxUploads: 2000,
      trustProxy: [],
      baseSegments: ['upload'],
      cors: true,
      stallTimeoutMs: 60_000,
      shutdownTimeoutMs: 1000,
      ...settings,
    },
    retention: compiled,
    limits: opened.limits,
    quotas: new Quotas(limitSettings.quotas, uploaderIds),
    logger,
    now,
    metrics,
  });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => {
    app.server.closeAllConnections();
    return app.close();
  });
  return { origin, storeDir, store, logLines, sweep: () => opened.sweeper.sweep() };
}
