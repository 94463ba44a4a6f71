import Fastify from 'fastify';
import { Registry } from 'prom-client';
import type { FreeSpace, Probing } from '../storage/store.js';
import type { App } from './app.js';
import { Connections } from './connections.js';
import { healthCheck } from './health.js';
import { noSchemas } from './no-schemas.js';
import type { Overview } from './page/overview.js';
import { holdEarlyRequests, turnTakingMessage } from './pipelining.js';

/** What the page, /metrics and /healthz report on. */
export interface MetricsSource {
  readonly store: Probing & Partial<FreeSpace>;
  /** The metrics of all processes. */
  readRegistry(): Promise<Registry>;
  /** What the page shows beside the health of the store. */
  readOverview(): Promise<Overview>;
}

/**
 * The server for operators: a page to look at, GET /metrics, and GET /healthz, which answers 503 with the reason if uploads
 * cannot be stored.
 */
export function buildMetricsApp({ store, readRegistry, readOverview }: MetricsSource): App {
  const connections = new Connections();
  const app = Fastify({
    forceCloseConnections: true,
    schemaController: noSchemas,
    http: { IncomingMessage: turnTakingMessage(connections) },
  });
  connections.watch(app.server);
  holdEarlyRequests(app.server, connections, () => undefined);
  app.addHook('onRequest', (request, reply, done) => {
    connections.beginAnswer(request, reply);
    done();
  });
  app.addHook('preClose', (done) => {
    connections.close();
    done();
  });
  const checkHealth = healthCheck(store);
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.header('cache-control', 'no-store');
    done();
  });
  app.get('/', async (_request, reply) => {
    const { pageHeaders, renderPage } = await import('./page/render-page.js');
    const [health, overview] = await Promise.all([checkHealth(), readOverview()]);
    return reply.headers(pageHeaders).send(renderPage(overview, health));
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(await (await readRegistry()).metrics()),
  );
  app.get('/healthz', async (_request, reply) => {
    const health = await checkHealth();
    return reply.code(health.status === 'ok' ? 200 : 503).send(health);
  });
  return app;
}
