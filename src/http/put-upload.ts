import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, FilerError } from '../errors.js';
import type { PlannedUpload, Reservation } from '../retention/limits.js';
import { nameFigure } from '../retention/quotas.js';
import type { AnnouncedUpload, Grant } from '../token/token.js';
import { verifyToken } from '../token/verify-token.js';
import { formatSize } from '../units.js';
import { servableType } from '../upload/content-type.js';
import { parseUploadKey } from '../upload/upload-key.js';
import { bareJid } from '../upload/uploader.js';
import { clientNetwork } from './client-network.js';
import type { HandlerContext } from './settings.js';
import { beginWithRoom, limitTime, maxUploadMs } from './upload-body.js';

/** Errors after which the bytes that were received still count towards the uploader's daily quota. */
const brokenOff: ReadonlySet<ErrorCode> = new Set(['BODY_INCOMPLETE', 'UPLOAD_TOO_SLOW']);

/**
 * The size of the body by the request's head (RFC 9112 §6.3); `undefined` if the body is chunked. Tokens sign the size, so a
 * chunked body may only be the empty one that nginx makes of an empty HTTP/2 upload.
 */
function announcedSize(headers: IncomingHttpHeaders): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  const length = headers['content-length'] ?? '0';
  if (!/^\d+$/.test(length)) throw lengthMissing();
  return Number(length);
}

function lengthMissing(cause?: unknown): FilerError {
  return new FilerError('LENGTH_MISSING', 'the PUT has no Content-Length header, and its body is not empty', { cause });
}

/** Makes room for no byte of a chunked body, so that only an empty one gets through. */
async function refuseBytes(arrived: number): Promise<number> {
  if (arrived > 0) throw lengthMissing();
  return 0;
}

/** What the token of a PUT allows. A chunked body (size `undefined`) needs a token for an empty file (`LENGTH_MISSING`). */
async function grantFor(
  { exchange, headers }: FastifyRequest,
  announced: Omit<AnnouncedUpload, 'size'>,
  size: number | undefined,
  { settings, now }: HandlerContext,
): Promise<Grant> {
  const source = { query: new URLSearchParams(exchange.query), authorization: headers.authorization };
  try {
    return await verifyToken(source, { ...announced, size: size ?? 0 }, settings, settings.baseSegments, now());
  } catch (error) {
    throw size === undefined ? lengthMissing(error) : error;
  }
}

/**
 * Counts the bytes of the body that have arrived, including those that Node has not parsed yet: all that the connection has
 * read, minus earlier requests and the head of this one.
 */
function countArrival({ raw, exchange, originalUrl }: FastifyRequest, size: number): () => number {
  const { socket, method, rawHeaders } = raw;
  const headBytes = rawHeaders.reduce(
    (sum, text) => sum + text.length + 2,
    `${method} ${originalUrl} HTTP/1.1\r\n\r\n`.length,
  );
  const bytesBefore = exchange.readBefore + headBytes;
  return () => Math.max(0, Math.min(size, socket.bytesRead - bytesBefore));
}

/** Throws `SIZE_REFUSED` if the uploader may not send so many bytes in one upload. */
function requireSize(size: number, grant: Grant, { settings, quotas }: HandlerContext): void {
  const table = quotas.find(grant);
  const max = table?.maxFileSize ?? settings.maxFileSize;
  if (max === undefined || size <= max) return;
  const told = `The file is larger than ${formatSize(max)}, the limit of this server.`;
  throw new FilerError('SIZE_REFUSED', `${size} bytes exceed ${nameFigure('maxFileSize', table)}, ${max}`, { told });
}

/** The uploader and the client's network. Each of them gets a limited share of the running uploads. */
function sendersOf({ exchange, raw }: FastifyRequest): string[] {
  const { uploader, client } = exchange;
  const network = clientNetwork(client, raw.socket.remoteAddress);
  return [uploader === undefined ? [] : bareJid(uploader), network ?? []].flat();
}

/** Reserves room for the upload, stores it, and settles the reservation. */
async function putWithin(
  request: FastifyRequest,
  { limits, uploadLimit }: HandlerContext,
  { key, size, uploader, quota }: Pick<PlannedUpload, 'key' | 'size' | 'uploader' | 'quota'>,
  put: (makeRoom: Reservation['makeRoom'], isAwaited: boolean) => Promise<void>,
): Promise<void> {
  const arrived = countArrival(request, size);
  const { makeRoom, settle } = await limits.reserve({ key, size, uploader, quota, arrived });
  let isStored = false;
  let sentBytes = 0;
  try {
    await uploadLimit.run(sendersOf(request), () => put(makeRoom, arrived() < size));
    isStored = true;
  } catch (error) {
    if (error instanceof FilerError && brokenOff.has(error.code)) sentBytes = arrived();
    throw error;
  } finally {
    settle(isStored, sentBytes);
  }
}

/** PUT of an upload. Answers 201 once it can be downloaded, and throws otherwise. */
export async function putUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HandlerContext,
): Promise<FastifyReply> {
  const { store, settings } = context;
  const { exchange, headers, raw } = request;
  const key = parseUploadKey(exchange.path, settings.baseSegments);
  const announced = announcedSize(headers);
  const grant = await grantFor(request, { key, contentType: exchange.contentType }, announced, context);
  exchange.uploader = grant.uploader;
  const size = announced ?? 0;
  requireSize(size, grant, context);
  const isHeldBack = headers.expect !== undefined && raw.httpVersion === '1.1';
  const upload = {
    key,
    size,
    contentType: servableType(grant.contentType),
    expiresAt: grant.expiresAt,
    uploader: grant.uploader,
    purpose: grant.purpose,
  };
  const readBody = () => {
    if (isHeldBack) reply.raw.writeContinue();
    if (!raw.complete) limitTime(raw, (settings.maxUploadMs ?? maxUploadMs)(size));
    return raw;
  };
  if (announced === undefined) await beginWithRoom(readBody(), refuseBytes);
  const openBody = () => (announced === undefined ? Readable.from([]) : readBody());
  await putWithin(request, context, { ...upload, quota: grant.quota }, async (makeRoom, isAwaited) => {
    if (makeRoom === undefined) return store.put(key, { ...upload, isAwaited, openBody });
    // A full disk has no room for a temporary file either, until room was made for the first bytes.
    const body = await beginWithRoom(openBody(), makeRoom);
    return store.put(key, { ...upload, isRoomMade: true, openBody: () => body });
  });
  exchange.bytes = size;
  return reply.code(201).send();
}
