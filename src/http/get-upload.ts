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

/** What to answer with, before any of it is sent. */
interface Answer {
  readonly status: 200 | 206 | 302 | 304;
  readonly headers: RawHeaders;
  /** Who sends the bytes of the upload to the client; `undefined`: the answer has none. */
  readonly sentBy?: 'prosody-filer' | 'nginx' | 'the store' | undefined;
  /** Which bytes; `undefined`: all of them. */
  readonly range?: ByteRange | undefined;
}

function requestedRange({ method, headers }: FastifyRequest, upload: StoredUpload): ByteRange | undefined {
  const { range, 'if-range': ifRange } = headers;
  // RFC 9110 §14.2 defines Range for GET only.
  if (range === undefined || method !== 'GET' || !matchesIfRange(ifRange?.toString(), upload)) return undefined;
  const parsed = parseRange(range, upload.size);
  if (parsed !== 'unsatisfiable') return parsed;
  throw new FilerError('RANGE_UNSATISFIABLE', `the range lies outside of the upload, which has ${upload.size} bytes`);
}

function lengthOf(range: ByteRange | undefined, { size }: StoredUpload): number {
  return range === undefined ? size : range.last - range.first + 1;
}

/** The answer to a GET or HEAD of an open upload. Throws for 410, 412 and 416. */
async function answerFor(
  request: FastifyRequest,
  key: UploadKey,
  upload: StoredUpload,
  { commonRawHeaders, settings, retention, now }: HandlerContext,
): Promise<Answer> {
  const at = now();
  const dated = { ...upload, key };
  const expiry = retention.expiryOf(dated);
  if (isExpired(expiry, at)) throw new FilerError('UPLOAD_EXPIRED', 'the upload has expired');
  const outcome = evaluateConditions(request.headers, upload);
  if (outcome === 'precondition-failed') {
    throw new FilerError('PRECONDITION_FAILED', 'the upload does not match If-Match or If-Unmodified-Since');
  }
  const keptUntil = retention.keptUntil(dated);
  const headers = [...commonRawHeaders, ...validatorHeaders(upload, keptUntil, at)];
  if (outcome === 'not-modified') return { status: 304, headers };
  if (upload.locate !== undefined && request.method === 'GET') {
    const location = await upload.locate(responseHeaders(key, upload, keptUntil, at), expiry);
    return { status: 302, headers: [...commonRawHeaders, ...redirectHeaders(location)], sentBy: 'the store' };
  }
  const range = requestedRange(request, upload);
  const status = range === undefined ? 200 : 206;
  if (settings.accelRedirect !== undefined && isLeftToNginx(request, range)) {
    const toNginx = accelHeaders(settings.accelRedirect, key, cacheControl(keptUntil, at));
    const accelerated = [...commonRawHeaders, ...contentHeaders(key, upload), ...toNginx];
    return { status, headers: accelerated, sentBy: 'nginx', range };
  }
  headers.push(...contentHeaders(key, upload), 'accept-ranges', 'bytes');
  headers.push('content-length', String(lengthOf(range, upload)));
  if (range !== undefined) headers.push('content-range', `bytes ${range.first}-${range.last}/${upload.size}`);
  return { status, headers, sentBy: request.method === 'HEAD' ? undefined : 'prosody-filer', range };
}

/** Sends the head past Fastify, whose streams halve the rate of large files. */
async function sendHead(reply: FastifyReply, { status, headers }: Answer): Promise<void> {
  // Waiting a turn lets several answers leave together. Waking up an idle client costs as much as several writes to a busy one.
  await nextTurn();
  reply.raw.writeHead(status, headers);
  reply.hijack();
}

/** Sends the head, and the bytes that the client gets from prosody-filer itself. */
async function send(
  { exchange }: FastifyRequest,
  reply: FastifyReply,
  answer: Answer,
  upload: StoredUpload,
): Promise<void> {
  const { sentBy, range } = answer;
  if (sentBy !== 'prosody-filer') {
    if (sentBy !== undefined) Object.assign(exchange, { sentBy, bytes: lengthOf(range, upload) });
    await sendHead(reply, answer);
    reply.raw.end();
    upload.close();
    return;
  }
  await upload.prepare?.(range);
  await sendHead(reply, answer);
  try {
    await upload.writeTo(reply.raw, range);
    exchange.bytes = lengthOf(range, upload);
  } catch (error) {
    const code = error instanceof FilerError ? error.code : undefined;
    if (code === 'DOWNLOADS_LIMITED') exchange.cutFor = code;
    // The log line has a text of its own for a broken connection. It may be written before this.
    if (code !== 'BODY_INCOMPLETE') exchange.reason = messageOf(error);
    reply.raw.destroy();
  }
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
    await send(request, reply, await answerFor(request, key, upload, context), upload);
  } catch (error) {
    upload.close();
    // Tells the client the size (RFC 9110 §15.5.17).
    if (error instanceof FilerError && error.code === 'RANGE_UNSATISFIABLE') {
      reply.header('content-range', `bytes */${upload.size}`);
    }
    throw error;
  }
}

/** GET and HEAD of an upload. Answers 200, 206, 302 or 304, and throws for 404, 410, 412 and 416. */
export async function getUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HandlerContext,
): Promise<FastifyReply> {
  const key = parseUploadKey(request.exchange.path, context.settings.baseSegments);
  await openAndAnswer(request, reply, key, context).catch((error: unknown) => {
    if (!(error instanceof FilerError && error.code === 'UPLOAD_REPLACED')) throw error;
    // Usually the upload was deleted a moment ago. The second attempt then finds that.
    return openAndAnswer(request, reply, key, context);
  });
  return reply;
}
