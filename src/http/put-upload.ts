import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, FilerError } from '../errors.js';
import type { Reservation } from '../retention/limits.js';
import type { IncomingUpload } from '../storage/store.js';
import { verifyToken } from '../token/verify-token.js';
import { servableType } from '../upload/content-type.js';
import { parseUploadKey, type UploadKey } from '../upload/upload-key.js';
import { bareJid } from '../upload/uploader.js';
import { clientNetwork } from './client-network.js';
import type { HandlerContext } from './settings.js';
import { beginWithRoom, limitTime, maxUploadMs } from './upload-body.js';

/** Errors after which the bytes that were received still count towards the uploader's daily quota. */
const brokenOff: ReadonlySet<ErrorCode> = new Set(['BODY_INCOMPLETE', 'UPLOAD_TOO_SLOW']);

/** Content-Length in bytes (RFC 9112 §6.2). It is required, since tokens sign the size. */
function announcedSize(headers: IncomingHttpHeaders): number {
  const length = headers['content-length'];
  if (length === undefined || !/^\d+$/.test(length)) {
    throw new FilerError('LENGTH_MISSING', 'the PUT has no Content-Length header');
  }
  return Number(length);
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
  { key, size, uploader }: Pick<IncomingUpload, 'size' | 'uploader'> & { readonly key: UploadKey },
  put: (makeRoom: Reservation['makeRoom'], isAwaited: boolean) => Promise<void>,
): Promise<void> {
  const arrived = countArrival(request, size);
  const { makeRoom, settle } = await limits.reserve({ key, size, uploader, arrived });
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
  const { store, settings, now } = context;
  const { exchange, headers, raw } = request;
  const key = parseUploadKey(exchange.path, settings.baseSegments);
  const source = { query: new URLSearchParams(exchange.query), authorization: headers.authorization };
  const announced = { key, size: announcedSize(headers), contentType: exchange.contentType };
  const grant = await verifyToken(source, announced, settings, settings.baseSegments, now());
  exchange.uploader = grant.uploader;
  if (settings.maxFileSize !== undefined && announced.size > settings.maxFileSize) {
    throw new FilerError('SIZE_REFUSED', `${announced.size} bytes exceed maxFileSize, ${settings.maxFileSize}`);
  }
  const isHeldBack = headers.expect !== undefined && raw.httpVersion === '1.1';
  const upload = {
    key,
    size: announced.size,
    contentType: servableType(grant.contentType),
    expiresAt: grant.expiresAt,
    uploader: grant.uploader,
  };
  const openBody = () => {
    if (isHeldBack) reply.raw.writeContinue();
    if (!raw.complete) limitTime(raw, (settings.maxUploadMs ?? maxUploadMs)(announced.size));
    return raw;
  };
  await putWithin(request, context, upload, async (makeRoom, isAwaited) => {
    if (makeRoom === undefined) return store.put(key, { ...upload, isAwaited, openBody });
    // A full disk has no room for a temporary file either, until room was made for the first bytes.
    const body = await beginWithRoom(openBody(), makeRoom);
    return store.put(key, { ...upload, isRoomMade: true, openBody: () => body });
  });
  exchange.bytes = announced.size;
  return reply.code(201).send();
}
