/*
 * The body of a PUT on its way to the store. An error that is emitted on it ends the store's `put` and leaves the
 * connection open for the answer, which destroying the request would not.
 */
import type { IncomingMessage } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import { FilerError } from '../errors.js';

/** How long an upload may take: 10 minutes, and a second for each KiB. */
export function maxUploadMs(size: number): number {
  // A timer can wait no longer, 24 days.
  return Math.min(2 ** 31 - 1, 600_000 + (size / 1024) * 1000);
}

/** Ends the body with `UPLOAD_TOO_SLOW` unless it is complete in so many ms. */
export function limitTime(body: IncomingMessage, maxMs: number): void {
  const seconds = Math.round(maxMs / 1000);
  const timer = setTimeout(
    () =>
      body.emit(
        'error',
        new FilerError('UPLOAD_TOO_SLOW', `the upload was not complete after ${seconds} s, the limit for its size`),
      ),
    maxMs,
  ).unref();
  const clear = () => clearTimeout(timer);
  body.once('end', clear).once('close', clear);
}

/** The body, whose bytes go on once `makeRoom` has made room for all that have arrived. */
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
    // An empty file takes room, too.
    flush(done) {
      if (arrived > 0) return done();
      makeRoom(0).then(() => done(), done);
    },
  });
  body.on('error', (error) => roomy.destroy(error)).once('close', () => body.readableEnded || roomy.destroy());
  // The store takes no more: the rest of what the client sends is dropped.
  roomy.once('close', () => body.resume());
  return body.pipe(roomy);
}

/**
 * The body with the room that its first bytes need, once they are there; the others follow when theirs is made.
 * Throws what `makeRoom` throws, and `BODY_INCOMPLETE` where no byte comes.
 */
export async function beginWithRoom(body: Readable, makeRoom: (arrived: number) => Promise<number>): Promise<Readable> {
  const roomy = bodyWithRoom(body, makeRoom);
  await new Promise<void>((resolve, reject) => {
    const fail = (cause?: unknown) =>
      reject(
        cause instanceof FilerError
          ? cause
          : new FilerError('BODY_INCOMPLETE', 'the body ended before its first byte', { cause }),
      );
    roomy.once('readable', resolve).once('end', resolve).once('error', fail).once('close', fail);
  });
  // The store listens for errors as soon as it reads.
  return roomy.on('error', () => undefined);
}
