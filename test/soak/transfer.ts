import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { PutOutcome } from './oracle.js';

/** How a client sends a body. */
export interface Manner {
  /** In so many pieces, with a pause after each. */
  readonly pieces: number;
  readonly pauseMs: number;
  /** The client closes the connection after so many pieces; more than all: after it has sent all of them. */
  readonly leavesAfter?: number | undefined;
}

/** Sends all at once and waits for the answer. */
export const atOnce: Manner = { pieces: 1, pauseMs: 0 };

const answerTimeoutMs = 40_000;

/** Uploads in this manner. */
export function upload(
  target: { readonly origin: string; readonly rawTarget: string },
  headers: Readonly<Record<string, string>>,
  body: Buffer,
  { pieces, pauseMs, leavesAfter = Number.POSITIVE_INFINITY }: Manner,
): Promise<PutOutcome> {
  const { hostname, port } = new URL(target.origin);
  const outgoing = request({
    hostname,
    port,
    method: 'PUT',
    path: target.rawTarget,
    headers: { 'content-length': body.length, ...headers },
    agent: false,
  });
  let isWhole = body.length === 0;
  const ended = new Promise<PutOutcome>((resolve) => {
    const end = () => resolve(isWhole ? 'unanswered' : 'broken');
    outgoing.on('response', (response) => {
      response.resume().on('error', () => undefined);
      resolve(response.statusCode ?? 0);
      // An answer may come before the body is sent: the rest of it is not wanted.
      response.on('end', () => outgoing.destroy());
    });
    outgoing.on('error', end).on('close', end);
    outgoing.setTimeout(answerTimeoutMs, () => outgoing.destroy(new Error('no answer')));
  });
  const send = async () => {
    const length = Math.ceil(body.length / pieces);
    for (let piece = 0; piece < pieces; piece += 1) {
      if (outgoing.destroyed) return;
      if (piece === leavesAfter) return outgoing.destroy();
      const isLast = piece === pieces - 1;
      if (isLast) isWhole = true;
      outgoing.write(body.subarray(piece * length, (piece + 1) * length));
      if (!isLast) await wait(pauseMs);
    }
    outgoing.end();
    // The bytes have to leave this process first.
    if (leavesAfter <= pieces) setImmediate(() => outgoing.destroy());
    return undefined;
  };
  void send();
  return ended;
}
