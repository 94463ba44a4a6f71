import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../metrics.js';
import { afterExchange } from './exchange.js';

const knownMethods = new Set(['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);

function measure(metrics: Metrics, request: FastifyRequest, { raw }: FastifyReply): void {
  const { startedAt, bytes, refusal, cutFor } = request.exchange;
  // A client may send any word as the method, and each would be a time series.
  const method = knownMethods.has(request.method) ? request.method : 'other';
  const isAnswered = raw.writableFinished;
  metrics.requests.inc({ method, status: isAnswered ? raw.statusCode : 'aborted' });
  metrics.durations.observe({ method }, (performance.now() - startedAt) / 1000);
  // Whether the handler knows already that the connection broke is a matter of time.
  const reason = isAnswered ? refusal : cutFor;
  if (reason !== undefined) metrics.refusals.inc({ method, reason });
  (method === 'PUT' ? metrics.receivedBytes : metrics.sentBytes).inc(bytes);
}

/** Counts and times an exchange when it is over, however it ends. */
export function measureExchange(metrics: Metrics, request: FastifyRequest, reply: FastifyReply): void {
  afterExchange(reply, () => measure(metrics, request, reply));
}
