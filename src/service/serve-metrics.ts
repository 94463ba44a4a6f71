import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { TcpAddress } from '../config/tcp-address.js';
import { buildMetricsApp, type MetricsSource } from '../http/metrics-app.js';
import { listen } from './listen.js';
import { type ObservedParts, Overviews } from './overviews.js';

/** Exposes the page, /metrics and /healthz on an address. Close it after the uploads. Throws a ListenError. */
export async function serveMetrics(
  address: TcpAddress,
  store: MetricsSource['store'],
  readRegistry: () => Promise<Registry>,
  parts: ObservedParts,
  logger: Logger,
): Promise<{ close(): Promise<unknown> }> {
  const overviews = new Overviews(readRegistry, parts);
  const app = buildMetricsApp({ store, readRegistry, readOverview: () => overviews.read() });
  logger.info({ address: await listen(app, address, 'metricsListen') }, 'exposing /metrics and /healthz');
  return {
    close: () => {
      overviews.close();
      return app.close();
    },
  };
}
