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
import type { Limits } from '../retention/limits.js';
import { isStored, type OpenRetention, openRetention } from '../retention/open-retention.js';
import { sweepRegularly } from '../retention/sweep-regularly.js';
import type { ServedStore } from '../storage/store.js';
import { listen } from './listen.js';
import type { ObservedParts } from './overviews.js';
import { listenOnPassedSocket } from './passed-socket.js';
import { deriveRules, type Rules } from './rules.js';
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
  { retention, uploaderIds }: Rules,
  logger: Logger,
): OpenRetention {
  const settings = { ...config.limits, evictMinAgeMs: config.evictMinAgeMs };
  return openRetention(store, retention, settings, { uploaderIds, logger, now: Date.now });
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
  rules: Rules,
  limits: Limits,
  metrics: Metrics | undefined,
): Promise<App> {
  const { buildApp } = await import('../http/app.js');
  const settings = { ...config, maxUploads: Math.max(1, Math.floor(config.maxUploads / config.workers)) };
  return buildApp({ ...rules, store, settings, limits, logger, now: Date.now, metrics });
}

/** Listens for uploads, and resolves to the address. */
function listenForUploads(app: App, { listen: address }: Config, { passedSockets }: ServiceManager): Promise<string> {
  return passedSockets === 0 ? listen(app, address) : listenOnPassedSocket(app, passedSockets, address);
}

/** The metrics of the process that has the address for them, and the reading of those of all processes. */
interface OpenMetrics {
  readonly own: ProcessMetrics;
  readRegistry(): Promise<Registry>;
}

/** Exposes the page and the metrics of all processes if metricsListen is set. */
async function listenForMetrics(
  store: ServedStore,
  metrics: OpenMetrics | undefined,
  parts: ObservedParts,
  logger: Logger,
): Promise<Running> {
  const { metricsListen } = parts.config;
  if (metricsListen === undefined || metrics === undefined) return { close: async () => undefined };
  metrics.own.watchSweeps(parts.sweeper);
  metrics.own.watchUsedSpace(() => parts.limits.usedBytes);
  const { serveMetrics } = await import('./serve-metrics.js');
  return serveMetrics(metricsListen, store, metrics.readRegistry, parts, logger);
}

/** What may run only once: the sweeps, the slots, and the address for metrics, which stays open until the others have stopped. */
interface SingleParts {
  stop(): Promise<unknown>;
  readonly metricsApp: Running;
}

/** Starts what may run only once. */
async function startSingleParts(
  config: Config,
  store: ServedStore,
  rules: Rules,
  { limits, sweeper }: OpenRetention,
  metrics: OpenMetrics | undefined,
  logger: Logger,
): Promise<SingleParts> {
  const observed: ObservedParts = { config, limits, sweeper };
  const metricsApp = await listenForMetrics(store, metrics, observed, logger);
  const sweeps = sweepRegularly(sweeper, config.sweepIntervalMs, logger, Date.now);
  observed.sweeps = sweeps;
  if (config.component === undefined) return { stop: () => sweeps.stop(), metricsApp };
  const { serveSlots } = await import('./serve-slots.js');
  const slots = await serveSlots(config.component, config, { ...rules, store, limits, logger }, metrics?.own);
  observed.component = slots;
  return { stop: () => Promise.all([sweeps.stop(), slots.stop()]), metricsApp };
}

/** Closes the server of uploads and what runs only once at the same time: no slot is given that nobody serves. */
function closingTogether(server: Running, single: SingleParts): Running {
  return {
    close: async () => {
      await Promise.all([server.close(), single.stop()]);
      await single.metricsApp.close();
    },
  };
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
  const app = await buildConfiguredApp(config, store, logger, deriveRules(config), limits, metrics);
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
  const rules = deriveRules(config);
  const retention = openConfiguredRetention(config, store, rules, logger);
  const metrics = await openConfiguredMetrics(config, store, lostLines);
  const app = await buildConfiguredApp(config, store, logger, rules, retention.limits, metrics);
  const address = await listenForUploads(app, config, serviceManager);
  const ofAll = metrics && { own: metrics, readRegistry: async () => metrics.registry };
  const single = await startSingleParts(config, store, rules, retention, ofAll, logger);
  const basePath = `/${config.baseSegments.join('/')}`;
  logger.info({ address, storage: describeStorage(config), basePath }, 'listening');
  notify('READY=1', `STATUS=serving on ${address}`);
  giveSignsOfLife(serviceManager, store, () => notify('WATCHDOG=1'));
  return closingTogether(app, single);
}

/** Starts workers that serve uploads, and supervises them; resolves before they listen. */
export async function serveInWorkers(
  config: Config,
  store: ServedStore,
  { logger, lostLines }: Log,
  notify: Notify,
): Promise<Running> {
  const rules = deriveRules(config);
  const retention = openConfiguredRetention(config, store, rules, logger);
  const own = await openSupervisorMetrics(config, lostLines);
  const ofAll = own && {
    own,
    readRegistry: (await import('./worker-metrics.js')).readMetricsOfWorkers(own.registry),
  };
  const single = await startSingleParts(config, store, rules, retention, ofAll, logger);
  const supervisor = new Supervisor(config, logger, notify, retention.limits, (key) => isStored(store, key));
  return closingTogether(supervisor, single);
}
