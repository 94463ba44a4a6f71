import type { Logger } from 'pino';
import type { TcpAddress } from '../config/tcp-address.js';
import type { App } from '../http/app.js';
import { buildMetricsApp, type MetricsSource } from '../http/metrics-app.js';
import { listen } from './listen.js';

/** Tells metrics and health at this address; resolves to what is to be closed after the uploads. Throws a ListenError. */
export async function serveMetrics(address: TcpAddress, source: MetricsSource, logger: Logger): Promise<App> {
  const app = buildMetricsApp(source);
  logger.info({ address: await listen(app, address, 'metricsListen') }, 'telling metrics and health');
  return app;
}
