/*
 * The body of a PUT on its way to the store. To end the store's `put`, an error is emitted on the request. Destroying the
 * request would close the connection, and the client would get no answer.
 */
import type { IncomingMessage } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { FilerError } from '../errors.js';

/** How long an upload of `size` bytes may take, in ms: 10 minutes plus one second for each KiB. */
export function maxUploadMs(size: number): number {
  // Timers cannot wait longer than this, about 24 days.
  return Math.min(2 ** 31 - 1, 600_000 + (size / 1024) * 1000);
}

/** Emits `UPLOAD_TOO_SLOW` on the body unless it is complete within `maxMs`. */
export function limitTime(body: IncomingMessage, maxMs: number): void {
  const seconds = Math.round(maxMs / 1000);
  const timer = setTimeout(
    () =>
      body.emit(
        'error',
        new FilerError('UPLOAD_TOO_SLOW', `the upload did not finish within ${seconds} s, the limit for its size`),
      ),
    maxMs,
  ).unref();
  const clear = () => clearTimeout(timer);
  body.once('end', clear).once('close', clear);
}

/** The body, which passes on bytes only once `makeRoom` has made room for all that have arrived. */
function bodyWithRoom(body: Readable, makeRoom: (arrived: number) => Promise<number>): Readable {
  let arrived = 0;
  let room = 0;
  const roomy = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      arrived += chunk.length;
      if (arrived <= room) return done(null, chunk);
      makeRoom(arrived).then((bytes) => {
        room = bytes;
        done(null, chunk);
      }, done);
    },
    // An empty file takes room too.
    flush(done) {
      if (arrived > 0) return done();
      makeRoom(0).then(() => done(), done);
    },
  });
  body.on('error', (error) => roomy.destroy(error)).once('close', () => body.readableEnded || roomy.destroy());
  // If the store stops reading, the rest of what the client sends is dropped.
  roomy.once('close', () => body.resume());
  // The client may have left while the upload waited for its turn. Then no event of the body follows.
  if (body.destroyed) roomy.destroy();
  return body.pipe(roomy);
}

/**
 * Waits until the first bytes of the body have arrived and room was made for them. The body that it returns makes room for
 * the other bytes as they arrive. Throws what `makeRoom` throws, and `BODY_INCOMPLETE` if the client leaves before.
 */
export async function beginWithRoom(body: Readable, makeRoom: (arrived: number) => Promise<number>): Promise<Readable> {
  const roomy = bodyWithRoom(body, makeRoom);
  await new Promise<void>((resolve, reject) => {
    const fail = (cause?: unknown) =>
      reject(
        cause instanceof FilerError
          ? cause
          : new FilerError('BODY_INCOMPLETE', 'the client disconnected before it sent the first byte of the body', {
              cause,
            }),
      );
    roomy.once('readable', resolve).once('end', resolve).once('error', fail).once('close', fail);
  });
  // The store listens for errors as soon as it reads.
  return roomy.on('error', () => undefined);
}
