import { setTimeout as sleep } from 'node:timers/promises';
import Fastify from 'fastify';
import { Registry } from 'prom-client';
import { FilerError, messageOf } from '../errors.js';
import type { FreeSpace, Probing } from '../storage/store.js';
import type { App } from './app.js';
import { Connections } from './connections.js';
import { noSchemas } from './no-schemas.js';
import { holdEarlyRequests, turnTakingMessage } from './pipelining.js';

/** A disk that hangs does not fail: its calls never return. */
const maxCheckMs = 5000;

/** The JSON body of /healthz. */
type Health =
  | { readonly status: 'ok'; readonly freeBytes?: number }
  | { readonly status: 'failing'; readonly reason: string };

async function refuseAfter(delayMs: number): Promise<never> {
  await sleep(delayMs, undefined, { ref: false });
  throw new FilerError('STORE_BUSY', `the store did not answer within ${delayMs / 1000} s`);
}

function healthCheck(store: Probing & Partial<FreeSpace>): () => Promise<Health> {
  let running: Promise<void> | undefined;
  return async () => {
    // Only one check at a time: each one that hangs occupies a thread that uploads need.
    running ??= store.check().finally(() => {
      running = undefined;
    });
    try {
      await Promise.race([running, refuseAfter(maxCheckMs)]);
      const freeBytes = await store.freeBytes?.();
      return freeBytes === undefined ? { status: 'ok' } : { status: 'ok', freeBytes };
    } catch (error) {
      return { status: 'failing', reason: messageOf(error) };
    }
  };
}

/** What /metrics and /healthz report on. */
export interface MetricsSource {
  readonly store: Probing & Partial<FreeSpace>;
  /** All metrics in Prometheus's text format. */
  readMetrics(): Promise<string>;
}

/** The server for operators: GET /metrics, and GET /healthz, which answers 503 with the reason if uploads cannot be stored. */
export function buildMetricsApp({ store, readMetrics }: MetricsSource): App {
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
  app.get('/metrics', async (_request, reply) =>
    reply.type(Registry.PROMETHEUS_CONTENT_TYPE).send(await readMetrics()),
  );
  app.get('/healthz', async (_request, reply) => {
    const health = await checkHealth();
    return reply.code(health.status === 'ok' ? 200 : 503).send(health);
  });
  return app;
}
