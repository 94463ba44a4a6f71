/*
 * Decides what runs in which process. With `workers = 1`, one process does everything. With more, the workers serve the
 * uploads, and this process supervises them. The single process, or the supervisor, owns whatever may exist only once: the
 * sweeps, the limits, the component that gives out slots, the address for metrics.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Config, describeStorage } from '../config/config.js';
import type { App } from '../http/app.js';
import type { Log } from '../log.js';
import type { Metrics, ProcessMetrics } from '../metrics.js';
import { compileRetention } from '../retention/expiry.js';
import type { Limits } from '../retention/limits.js';
import { isStored, type OpenRetention, openRetention } from '../retention/open-retention.js';
import { Quotas } from '../retention/quotas.js';
import type { StoreLimits } from '../retention/store-limits.js';
import { sweepRegularly } from '../retention/sweep-regularly.js';
import type { ServedStore } from '../storage/store.js';
import { UploaderIds } from '../upload/uploader.js';
import { listen } from './listen.js';
import type { ObservedParts } from './overviews.js';
import { listenOnPassedSocket } from './passed-socket.js';
import type { RunningSlots } from './serve-slots.js';
import type { Notify, ServiceManager } from './service-manager.js';
import { supervisorsLimits } from './shared-limits.js';
import { giveSignsOfLife } from './watchdog.js';
import { giveSignToSupervisor, Supervisor } from './workers.js';

/** A part of the server that runs until it is closed. */
export interface Running {
  close(): Promise<unknown>;
}

function openConfiguredRetention(
  config: Config,
  store: ServedStore,
  uploaderIds: UploaderIds,
  logger: Logger,
): OpenRetention {
  const settings = { ...config.limits, evictMinAgeMs: config.evictMinAgeMs };
  return openRetention(store, compileRetention(config.retention), settings, { uploaderIds, logger, now: Date.now });
}

/** The metrics of a process that serves, if metricsListen is set. Only then prom-client is loaded. */
async function openConfiguredMetrics(
  { metricsListen }: Config,
  store: ServedStore,
  lostLines: () => number,
): Promise<Metrics | undefined> {
  if (metricsListen === undefined) return undefined;
  const { Metrics } = await import('../metrics.js');
  const metrics = new Metrics();
  metrics.watchLostLogLines(lostLines);
  const freeBytes = store.freeBytes?.bind(store);
  if (freeBytes !== undefined) metrics.watchFreeSpace(freeBytes);
  return metrics;
}

/** The supervisor's own metrics, if metricsListen is set. */
async function openSupervisorMetrics(
  { metricsListen }: Config,
  lostLines: () => number,
): Promise<ProcessMetrics | undefined> {
  if (metricsListen === undefined) return undefined;
  const { ProcessMetrics } = await import('../metrics.js');
  const metrics = new ProcessMetrics();
  metrics.watchLostLogLines(lostLines);
  return metrics;
}

/**
 * Builds the app of one process. Its limit of running uploads is its share of maxUploads. Only here Fastify is loaded, because
 * the supervisor does without it.
 */
async function buildConfiguredApp(
  config: Config,
  store: ServedStore,
  logger: Logger,
  limits: Limits,
  metrics: Metrics | undefined,
): Promise<App> {
  const { buildApp } = await import('../http/app.js');
  const settings = { ...config, maxUploads: Math.max(1, Math.floor(config.maxUploads / config.workers)) };
  const retention = compileRetention(config.retention);
  const quotas = new Quotas(config.limits.quotas, new UploaderIds(config.secrets, config.jidInUrlDomain));
  return buildApp({ store, settings, retention, limits, quotas, logger, now: Date.now, metrics });
}

/** Listens for uploads, and resolves to the address. */
function listenForUploads(app: App, { listen: address }: Config, { passedSockets }: ServiceManager): Promise<string> {
  return passedSockets === 0 ? listen(app, address) : listenOnPassedSocket(app, passedSockets, address);
}

/** Exposes the page and the metrics of all processes if metricsListen is set. */
async function listenForMetrics(
  store: ServedStore,
  metrics: ProcessMetrics | undefined,
  readRegistry: (() => Promise<Registry>) | undefined,
  parts: ObservedParts,
  logger: Logger,
): Promise<Running> {
  const { metricsListen } = parts.config;
  if (metricsListen === undefined || readRegistry === undefined) return { close: async () => undefined };
  metrics?.watchSweeps(parts.sweeper);
  metrics?.watchUsedSpace(() => parts.limits.usedBytes);
  const { serveMetrics } = await import('./serve-metrics.js');
  return serveMetrics(metricsListen, store, readRegistry, parts, logger);
}

/** Gives out slots if [component] is set. */
async function giveConfiguredSlots(
  config: Config,
  store: ServedStore,
  limits: StoreLimits,
  uploaderIds: UploaderIds,
  logger: Logger,
  metrics: ProcessMetrics | undefined,
): Promise<RunningSlots | undefined> {
  if (config.component === undefined) return undefined;
  const { serveSlots } = await import('./serve-slots.js');
  return serveSlots(config.component, config, { store, limits, uploaderIds, logger }, metrics);
}

/** Serves uploads in this worker; resolves when it listens. */
export async function serveInWorker(
  config: Config,
  store: ServedStore,
  { logger, lostLines }: Log,
  serviceManager: ServiceManager,
): Promise<Running> {
  const metrics = await openConfiguredMetrics(config, store, lostLines);
  const limits = supervisorsLimits({ reportsArrival: config.limits.minFreeSpace > 0 });
  const app = await buildConfiguredApp(config, store, logger, limits, metrics);
  if (metrics !== undefined) (await import('./worker-metrics.js')).reportMetrics(metrics);
  await listenForUploads(app, config, serviceManager);
  giveSignsOfLife(serviceManager, store, giveSignToSupervisor);
  return app;
}

/** Serves uploads in this process alone; resolves when it listens. */
export async function serveAlone(
  config: Config,
  store: ServedStore,
  { logger, lostLines }: Log,
  serviceManager: ServiceManager,
  notify: Notify,
): Promise<Running> {
  const uploaderIds = new UploaderIds(config.secrets, config.jidInUrlDomain);
  const { limits, sweeper } = openConfiguredRetention(config, store, uploaderIds, logger);
  const metrics = await openConfiguredMetrics(config, store, lostLines);
  const app = await buildConfiguredApp(config, store, logger, limits, metrics);
  const address = await listenForUploads(app, config, serviceManager);
  const readRegistry = metrics && (async () => metrics.registry);
  const parts: ObservedParts = { config, limits, sweeper };
  const metricsApp = await listenForMetrics(store, metrics, readRegistry, parts, logger);
  const sweeps = sweepRegularly(sweeper, config.sweepIntervalMs, logger, Date.now);
  const slots = await giveConfiguredSlots(config, store, limits, uploaderIds, logger, metrics);
  Object.assign(parts, { sweeps, component: slots });
  const basePath = `/${config.baseSegments.join('/')}`;
  logger.info({ address, storage: describeStorage(config), basePath }, 'listening');
  notify('READY=1', `STATUS=serving on ${address}`);
  giveSignsOfLife(serviceManager, store, () => notify('WATCHDOG=1'));
  return {
    close: async () => {
      await Promise.all([app.close(), sweeps.stop(), slots?.stop()]);
      await metricsApp.close();
    },
  };
}

/** Starts workers that serve uploads, and supervises them; resolves before they listen. */
export async function serveInWorkers(
  config: Config,
  store: ServedStore,
  { logger, lostLines }: Log,
  notify: Notify,
): Promise<Running> {
  const uploaderIds = new UploaderIds(config.secrets, config.jidInUrlDomain);
  const { limits, sweeper } = openConfiguredRetention(config, store, uploaderIds, logger);
  const metrics = await openSupervisorMetrics(config, lostLines);
  const readRegistry = metrics && (await import('./worker-metrics.js')).readMetricsOfWorkers(metrics.registry);
  const parts: ObservedParts = { config, limits, sweeper };
  const metricsApp = await listenForMetrics(store, metrics, readRegistry, parts, logger);
  const sweeps = sweepRegularly(sweeper, config.sweepIntervalMs, logger, Date.now);
  const slots = await giveConfiguredSlots(config, store, limits, uploaderIds, logger, metrics);
  Object.assign(parts, { sweeps, component: slots });
  const supervisor = new Supervisor(config, logger, notify, limits, (key) => isStored(store, key));
  return {
    close: async () => {
      await supervisor.close();
      await Promise.all([sweeps.stop(), slots?.stop(), metricsApp.close()]);
    },
  };
}
