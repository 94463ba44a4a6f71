import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FilerError } from '../errors.js';
import { verifyToken } from '../token/verify-token.js';
import { servableType } from '../upload/content-type.js';
import type { Limits, PlannedUpload } from '../upload/limits.js';
import { parseUploadKey } from '../upload/upload-key.js';
import type { HandlerContext } from './settings.js';

/** Content-Length in bytes (RFC 9112 §6.2); the size is what the token signs, so a body without one is refused. */
function announcedSize(headers: IncomingHttpHeaders): number {
  const length = headers['content-length'];
  if (length === undefined || !/^\d+$/.test(length)) {
    throw new FilerError('LENGTH_MISSING', 'the PUT announces no Content-Length');
  }
  return Number(length);
}

/** Puts the upload if the limits have room for it. */
async function putWithin(limits: Limits, upload: PlannedUpload, put: () => Promise<void>): Promise<void> {
  const settle = await limits.reserve(upload);
  let isStored = false;
  try {
    await put();
    isStored = true;
  } finally {
    settle(isStored);
  }
}

/** PUT of an upload: 201 once it can be fetched; throws for everything else. */
export async function putUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  { store, settings, retention, uploadLimit, limits, now }: HandlerContext,
): Promise<FastifyReply> {
  const { exchange, headers } = request;
  const key = parseUploadKey(exchange.path, settings.baseSegments);
  const source = { query: new URLSearchParams(exchange.query), authorization: headers.authorization };
  const announced = { key, size: announcedSize(headers), contentType: exchange.contentType };
  const grant = await verifyToken(source, announced, settings, settings.baseSegments, now());
  exchange.uploader = grant.uploader;
  if (settings.maxFileSize !== undefined && announced.size > settings.maxFileSize) {
    throw new FilerError('SIZE_REFUSED', `${announced.size} bytes are more than maxFileSize, ${settings.maxFileSize}`);
  }
  const isHeldBack = headers.expect !== undefined && request.raw.httpVersion === '1.1';
  const facts = {
    size: announced.size,
    contentType: servableType(grant.contentType),
    expiresAt: grant.expiresAt,
    uploader: grant.uploader,
  };
  const dated = { ...facts, key, modifiedAt: now() };
  const upload = {
    ...facts,
    keptUntil: retention.keptUntil(dated),
    dueAt: retention.dueAt(dated),
    isHeldBack,
    openBody: () => {
      if (isHeldBack) reply.raw.writeContinue();
      return request.raw;
    },
  };
  await uploadLimit.run(() => putWithin(limits, upload, () => store.put(key, upload)));
  exchange.bytes = announced.size;
  return reply.code(201).send();
}
