import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FilerError, messageOf } from '../errors.js';
import { isExpired } from '../retention/expiry.js';
import type { ByteRange, StoredUpload } from '../storage/store.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';
import { accelHeaders, isLeftToNginx } from './accel-redirect.js';
import { evaluateConditions, matchesIfRange } from './conditional.js';
import {
  cacheControl,
  contentHeaders,
  type RawHeaders,
  redirectHeaders,
  responseHeaders,
  validatorHeaders,
} from './headers.js';
import { parseRange } from './range.js';
import type { HandlerContext } from './settings.js';

function requestedRange(request: FastifyRequest, reply: FastifyReply, upload: StoredUpload): ByteRange | undefined {
  const { range, 'if-range': ifRange } = request.headers;
  // RFC 9110 §14.2: Range means something for GET only.
  if (range === undefined || request.method !== 'GET' || !matchesIfRange(ifRange?.toString(), upload)) return undefined;
  const parsed = parseRange(range, upload.size);
  if (parsed !== 'unsatisfiable') return parsed;
  reply.header('content-range', `bytes */${upload.size}`);
  throw new FilerError('RANGE_UNSATISFIABLE', `no byte of ${upload.size} lies in the range`);
}

/** Sends the head past Fastify, whose streams halve the rate of large files. */
async function sendHead(reply: FastifyReply, status: number, headers: RawHeaders): Promise<void> {
  // The answers of one turn leave together: a write to a client that has gone idle costs several to one that is awake.
  await nextTurn();
  reply.raw.writeHead(status, headers);
  reply.hijack();
}

/** Sends an answer that has no bytes. */
async function sendEmpty(
  reply: FastifyReply,
  status: number,
  headers: RawHeaders,
  upload: StoredUpload,
): Promise<void> {
  await sendHead(reply, status, headers);
  reply.raw.end();
  upload.close();
}

/** Sends an answer and its bytes. */
async function send(
  { exchange }: FastifyRequest,
  reply: FastifyReply,
  status: number,
  headers: RawHeaders,
  upload: StoredUpload,
  range?: ByteRange,
): Promise<void> {
  await sendHead(reply, status, headers);
  try {
    await upload.writeTo(reply.raw, range);
    exchange.bytes = range === undefined ? upload.size : range.last - range.first + 1;
  } catch (error) {
    const code = error instanceof FilerError ? error.code : undefined;
    if (code === 'DOWNLOADS_LIMITED') exchange.cutFor = code;
    // Why a connection broke the log line says by itself, which may be written before this.
    if (code !== 'BODY_INCOMPLETE') exchange.reason = messageOf(error);
    reply.raw.destroy();
  }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  key: UploadKey,
  upload: StoredUpload,
  { commonRawHeaders, settings, retention, now }: HandlerContext,
): Promise<void> {
  const at = now();
  const dated = { ...upload, key };
  const expiry = retention.expiryOf(dated);
  if (isExpired(expiry, at)) throw new FilerError('UPLOAD_EXPIRED', 'the upload has expired');
  const outcome = evaluateConditions(request.headers, upload);
  if (outcome === 'precondition-failed') throw new FilerError('PRECONDITION_FAILED', 'the upload is not in that state');
  const keptUntil = retention.keptUntil(dated);
  const headers = [...commonRawHeaders, ...validatorHeaders(upload, keptUntil, at)];
  if (outcome === 'not-modified') return sendEmpty(reply, 304, headers, upload);
  if (upload.locate !== undefined && request.method === 'GET') {
    const location = await upload.locate(responseHeaders(key, upload, keptUntil, at), expiry);
    Object.assign(request.exchange, { bytes: upload.size, sentBy: 'the store' });
    return sendEmpty(reply, 302, [...commonRawHeaders, ...redirectHeaders(location)], upload);
  }
  const range = requestedRange(request, reply, upload);
  const status = range === undefined ? 200 : 206;
  const length = range === undefined ? upload.size : range.last - range.first + 1;
  if (settings.accelRedirect !== undefined && isLeftToNginx(request, range)) {
    Object.assign(request.exchange, { bytes: length, sentBy: 'nginx' });
    const toNginx = accelHeaders(settings.accelRedirect, key, cacheControl(keptUntil, at));
    return sendEmpty(reply, status, [...commonRawHeaders, ...contentHeaders(key, upload), ...toNginx], upload);
  }
  headers.push(...contentHeaders(key, upload), 'accept-ranges', 'bytes', 'content-length', String(length));
  if (range !== undefined) headers.push('content-range', `bytes ${range.first}-${range.last}/${upload.size}`);
  if (request.method === 'HEAD') return sendEmpty(reply, status, headers, upload);
  await upload.prepare?.(range);
  return send(request, reply, status, headers, upload, range);
}

async function openAndAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  key: UploadKey,
  context: HandlerContext,
): Promise<void> {
  const upload = await context.store.open(key);
  if (upload === undefined) {
    if (await context.store.wasDeleted(key)) throw new FilerError('UPLOAD_EXPIRED', 'the upload was deleted');
    throw new FilerError('NOT_FOUND', 'there is no such upload');
  }
  request.exchange.uploader = upload.uploader;
  try {
    await answer(request, reply, key, upload, context);
  } catch (error) {
    upload.close();
    throw error;
  }
}

/** GET and HEAD of an upload: 200, 206, 302 or 304; throws for 404, 410, 412 and 416. */
export async function getUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HandlerContext,
): Promise<FastifyReply> {
  const key = parseUploadKey(request.exchange.path, context.settings.baseSegments);
  await openAndAnswer(request, reply, key, context).catch((error: unknown) => {
    if (!(error instanceof FilerError && error.code === 'UPLOAD_REPLACED')) throw error;
    // Mostly it was deleted just now: the second look finds out.
    return openAndAnswer(request, reply, key, context);
  });
  return reply;
}
