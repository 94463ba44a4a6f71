import type { Logger } from 'pino';
import type { TcpAddress } from '../config/tcp-address.js';
import type { App } from '../http/app.js';
import { buildMetricsApp, type MetricsSource } from '../http/metrics-app.js';
import { listen } from './listen.js';

/** Exposes /metrics and /healthz on an address. Close the app after the uploads. Throws a ListenError. */
export async function serveMetrics(address: TcpAddress, source: MetricsSource, logger: Logger): Promise<App> {
  const app = buildMetricsApp(source);
  logger.info({ address: await listen(app, address, 'metricsListen') }, 'exposing /metrics and /healthz');
  return app;
}
