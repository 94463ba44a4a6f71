import type { FastifyReply, FastifyRequest } from 'fastify';
import { FilerError } from '../errors.js';
import { removeUpload } from '../retention/remove-upload.js';
import { verifyDeleteToken } from '../token/delete-token.js';
import { parseUploadKey } from '../upload/upload-key.js';
import { allowedMethods } from './headers.js';
import type { HandlerContext } from './settings.js';

/** DELETE, which Metronome sends. Answers 204 even if there is no such upload: Metronome takes any other status as a failure. */
export async function deleteUpload(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HandlerContext,
): Promise<FastifyReply> {
  const { settings } = context;
  const { secrets, deleteSecret, baseSegments } = settings;
  if (deleteSecret === undefined) {
    reply.header('allow', allowedMethods(settings));
    throw new FilerError('METHOD_UNKNOWN', 'DELETE is disabled: deleteSecret is not set');
  }
  const key = parseUploadKey(request.exchange.path, baseSegments);
  verifyDeleteToken(new URLSearchParams(request.exchange.query), key, secrets, deleteSecret);
  await removeUpload(key, context);
  return reply.code(204).send();
}
