import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics.js';
import { afterExchange } from './exchange.js';

const knownMethods = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);

function measure(metrics: Metrics, request: FastifyRequest, { raw }: FastifyReply): void {
  const { startedAt, bytes, refusal, cutFor } = request.exchange;
  // A client can send any word as the method, and each would create a time series.
  const method = knownMethods.has(request.method) ? request.method : 'other';
  const isAnswered = raw.writableFinished;
  metrics.requests.inc({ method, status: isAnswered ? raw.statusCode : 'aborted' });
  metrics.durations.observe({ method }, (performance.now() - startedAt) / 1000);
  // If the connection closed first, the handler may have recorded a refusal or not, depending on timing.
  const reason = isAnswered ? refusal : cutFor;
  if (reason !== undefined) metrics.refusals.inc({ method, reason });
  (method === 'PUT' ? metrics.receivedBytes : metrics.sentBytes).inc(bytes);
}

/** Counts and times an exchange once it is over, completed or aborted. A download also counts while it runs. */
export function measureExchange(metrics: Metrics, request: FastifyRequest, reply: FastifyReply): void {
  const isDownload = request.method === 'GET';
  if (isDownload) metrics.downloadsInProgress.inc();
  afterExchange(reply, () => {
    if (isDownload) metrics.downloadsInProgress.dec();
    measure(metrics, request, reply);
  });
}
