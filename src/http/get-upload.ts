import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FilerError, messageOf } from '../errors.js';
import type { ByteRange, StoredUpload } from '../storage/store.js';
import { isExpired } from '../upload/expiry.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';
import { evaluateConditions, matchesIfRange } from './conditional.js';
import { contentHeaders, type RawHeaders, validatorHeaders } from './headers.js';
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

/** Sends the head past Fastify, whose streams halve the rate of large files, and then the bytes if there are any. */
async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  headers: RawHeaders,
  upload: StoredUpload,
  range?: ByteRange,
): Promise<void> {
  const { exchange } = request;
  // The answers of one turn leave together: a write to a client that has gone idle costs several to one that is awake.
  await nextTurn();
  reply.raw.writeHead(status, headers);
  reply.hijack();
  if (status === 304 || request.method === 'HEAD') {
    reply.raw.end();
    upload.close();
    return;
  }
  try {
    await upload.writeTo(reply.raw, range);
    exchange.bytes = range === undefined ? upload.size : range.last - range.first + 1;
  } catch (error) {
    const isBroken = error instanceof FilerError && error.code === 'BODY_INCOMPLETE';
    // Why a connection broke the log line says by itself, which may be written before this.
    if (!isBroken) exchange.reason = messageOf(error);
    reply.raw.destroy();
  }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  key: UploadKey,
  upload: StoredUpload,
  { commonRawHeaders, retention, now }: HandlerContext,
): Promise<void> {
  const at = now();
  const dated = { ...upload, key };
  if (isExpired(retention.expiryOf(dated), at)) throw new FilerError('UPLOAD_EXPIRED', 'the upload has expired');
  const outcome = evaluateConditions(request.headers, upload);
  if (outcome === 'precondition-failed') throw new FilerError('PRECONDITION_FAILED', 'the upload is not in that state');
  const headers = [...commonRawHeaders, ...validatorHeaders(upload, retention.keptUntil(dated), at)];
  if (outcome === 'not-modified') return send(request, reply, 304, headers, upload);
  const range = requestedRange(request, reply, upload);
  const length = range === undefined ? upload.size : range.last - range.first + 1;
  headers.push(...contentHeaders(key, upload), 'content-length', String(length));
  if (range === undefined) return send(request, reply, 200, headers, upload);
  headers.push('content-range', `bytes ${range.first}-${range.last}/${upload.size}`);
  return send(request, reply, 206, headers, upload, range);
}

/** GET and HEAD of an upload: 200, 206 or 304; throws for 404, 410, 412 and 416. */
export async function getUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HandlerContext,
): Promise<FastifyReply> {
  const { store, settings } = context;
  const key = parseUploadKey(request.exchange.path, settings.baseSegments);
  const upload = await store.open(key);
  if (upload === undefined) {
    if (await store.wasDeleted(key)) throw new FilerError('UPLOAD_EXPIRED', 'the upload was deleted');
    throw new FilerError('NOT_FOUND', 'there is no such upload');
  }
  request.exchange.uploader = upload.uploader;
  try {
    await answer(request, reply, key, upload, context);
  } catch (error) {
    upload.close();
    throw error;
  }
  return reply;
}
