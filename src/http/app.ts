/*
 * What Fastify does here: it calls the hooks in order, works out the client's address (trustProxy), turns what a handler
 * throws into an answer (error-handler.ts), sends the small answers, and closes gracefully.
 * What is done without it:
 *
 *   Routing. A router decodes "%2F", keeps ".." and answers "%zz" by itself. So all URLs have one route, and
 *   upload/upload-key.ts parses the raw target.
 *   Bodies. The body of a PUT goes from the socket into the store. A download goes to the raw response (get-upload.ts).
 *   Logging. request-log.ts writes one line for each request.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { FilerError } from '../errors.js';
import { answerClientErrors } from './client-error.js';
import { closeInTime } from './close-in-time.js';
import { Connections } from './connections.js';
import { deleteUpload } from './delete-upload.js';
import { handleError } from './error-handler.js';
import { beginExchange } from './exchange.js';
import { getUpload } from './get-upload.js';
import { allowedMethods, commonHeaders, uncachedHeaders } from './headers.js';
import { measureExchange } from './measure-exchange.js';
import { noSchemas } from './no-schemas.js';
import { holdEarlyRequests, turnTakingMessage } from './pipelining.js';
import { putUpload } from './put-upload.js';
import { encodeRawTarget, rememberHeads } from './raw-targets.js';
import { logExchange } from './request-log.js';
import type { HandlerContext } from './settings.js';
import { cutStalledClients, silenceMs } from './stalls.js';
import { trustedProxies } from './trusted-proxies.js';
import { UploadLimit } from './upload-limit.js';

/** Longer than the 60 s for which nginx keeps idle connections, so that nginx never reuses one that is closed here. */
const keepAliveMs = 75_000;

/** How long the head of a request may take to arrive, and how often that is checked. */
const maxHeadMs = 60_000;
const headCheckMs = 5000;

async function dispatch(request: FastifyRequest, reply: FastifyReply, context: HandlerContext): Promise<FastifyReply> {
  const { expect, host } = request.headers;
  if (host === undefined && request.raw.httpVersion === '1.1') {
    throw new FilerError('HOST_MISSING', 'the request has no Host header');
  }
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    throw new FilerError('EXPECTATION_UNKNOWN', 'the Expect header is not 100-continue');
  }
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return getUpload(request, reply, context);
    case 'PUT':
      return putUpload(request, reply, context);
    case 'DELETE':
      return deleteUpload(request, reply, context);
    case 'OPTIONS':
      return reply.code(204).header('allow', allowedMethods(context.settings)).send();
    default:
      reply.header('allow', allowedMethods(context.settings));
      throw new FilerError(
        'METHOD_UNKNOWN',
        `the method ${request.method} is not supported, only ${allowedMethods(context.settings)}`,
      );
  }
}

/** The upload server. */
export type App = FastifyInstance;

/** Builds the upload server, ready to listen. */
export function buildApp(dependencies: Omit<HandlerContext, 'commonRawHeaders' | 'uploadLimit'>): App {
  const { settings, logger, metrics } = dependencies;
  const common = commonHeaders(settings.cors);
  const headers = { ...common, ...uncachedHeaders };
  const commonRawHeaders = Object.entries(common).flat();
  const context = { ...dependencies, commonRawHeaders, uploadLimit: new UploadLimit(settings.maxUploads) };
  metrics?.watchUploads(() => context.uploadLimit.running);
  const connections = new Connections();
  const refusePipeline = ({ remoteAddress: client }: Socket) => {
    logger.info(
      { client },
      'closed a connection: the client sent more than 4 KiB of further requests before the answer to the first',
    );
    metrics?.refusals.inc({ method: 'other', reason: 'PIPELINE_LIMITED' });
  };
  const answerClientError = answerClientErrors(headers, connections, logger);
  const app = Fastify({
    rewriteUrl: () => '/',
    schemaController: noSchemas,
    genReqId: () => randomUUID(),
    trustProxy: trustedProxies(settings.trustProxy),
    return503OnClosing: false,
    keepAliveTimeout: keepAliveMs,
    connectionTimeout: settings.stallTimeoutMs,
    http: {
      IncomingMessage: turnTakingMessage(connections),
      // dispatch() requires it, so that the refusal has the headers of every answer.
      requireHostHeader: false,
      headersTimeout: Math.min(maxHeadMs, settings.stallTimeoutMs),
      connectionsCheckingInterval: headCheckMs,
    },
    clientErrorHandler: (error, socket) => {
      if (!encodeRawTarget(app.server, connections, [error, socket], refusePipeline)) answerClientError(error, socket);
    },
  });
  connections.watch(app.server);
  rememberHeads(app.server, connections);
  holdEarlyRequests(app.server, connections, refusePipeline);
  cutStalledClients(app.server, connections, settings.stallTimeoutMs);

  app.decorateRequest('exchange');
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    connections.beginAnswer(request, reply);
    request.exchange = beginExchange(request, connections.find(raw.socket)?.readBefore ?? 0);
    // Fastify refuses a Content-Type that it cannot parse, even without parsers. beginExchange() has kept the real one.
    raw.headers['content-type'] = 'application/octet-stream';
    raw.socket.setTimeout(silenceMs(settings.stallTimeoutMs));
    logExchange(logger, request, reply);
    if (metrics !== undefined) measureExchange(metrics, request, reply);
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    reply.headers(headers);
    done();
  });
  closeInTime(app, connections, context);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null));
  app.setErrorHandler((error, request, reply) => handleError(error, request, reply, logger));
  const handler = (request: FastifyRequest, reply: FastifyReply) => dispatch(request, reply, context);
  app.all('/', handler);
  // The one route matches every URL. What remains are methods that Fastify does not know.
  app.setNotFoundHandler(handler);
  // Without these listeners Node answers "100 Continue" by itself, even to requests that will be refused.
  app.server.on('checkContinue', app.routing);
  app.server.on('checkExpectation', app.routing);
  return app;
}
