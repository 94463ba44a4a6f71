/*
 * The limits of several workers are kept by their supervisor, whom each asks over its channel:
 *
 *   worker → supervisor   { reserve: { id, size, uploader } }          { settle: { id, isStored } }
 *   supervisor → worker   { reserved: { id } }                         { refused: { id, code, message, retryAt } }
 */
import cluster, { type Worker } from 'node:cluster';
import { type ErrorCode, FilerError } from '../errors.js';
import type { Limits, PlannedUpload, Settle } from '../upload/limits.js';

/** Other modules use the channel too, so each part may be missing. */
interface ToSupervisor {
  readonly reserve?: PlannedUpload & { readonly id: number };
  readonly settle?: { readonly id: number; readonly isStored: boolean };
}

interface ToWorker {
  readonly reserved?: { readonly id: number };
  readonly refused?: {
    readonly id: number;
    readonly code: ErrorCode;
    readonly message: string;
    readonly retryAt?: number;
  };
}

/** Answers a worker's reservations; what a worker that dies had reserved is free again. */
export function shareLimits(worker: Worker, limits: Limits): void {
  const settles = new Map<number, Settle>();
  const answer = (message: ToWorker) => worker.isConnected() && worker.send(message);
  const reserve = async ({ id, ...upload }: PlannedUpload & { readonly id: number }) => {
    try {
      const settle = await limits.reserve(upload);
      if (worker.isDead()) return settle(false);
      settles.set(id, settle);
      answer({ reserved: { id } });
    } catch (error) {
      const { code, message, retryAt } =
        error instanceof FilerError ? error : new FilerError('STORE_FAILED', String(error));
      answer({ refused: { id, code, message, ...(retryAt === undefined ? {} : { retryAt }) } });
    }
  };
  worker.on('message', ({ reserve: reservation, settle }: ToSupervisor) => {
    if (reservation !== undefined) reserve(reservation);
    if (settle === undefined) return;
    settles.get(settle.id)?.(settle.isStored);
    settles.delete(settle.id);
  });
  worker.once('exit', () => {
    for (const settle of settles.values()) settle(false);
  });
}

/** In a worker: the supervisor's limits. */
export function supervisorsLimits(): Limits {
  const waiting = new Map<number, { resolve(settle: Settle): void; reject(error: FilerError): void }>();
  let count = 0;
  const tell = (message: ToSupervisor) => cluster.worker?.isConnected() && cluster.worker.send(message);
  const take = (id: number) => {
    const reservation = waiting.get(id);
    waiting.delete(id);
    return reservation;
  };
  cluster.worker?.on('message', (message: ToWorker) => {
    const { reserved, refused } = message;
    if (reserved !== undefined) {
      const { id } = reserved;
      take(id)?.resolve((isStored) => tell({ settle: { id, isStored } }));
    }
    if (refused !== undefined) take(refused.id)?.reject(new FilerError(refused.code, refused.message, refused));
  });
  return {
    reserve: ({ size, uploader }) =>
      new Promise((resolve, reject) => {
        const id = count++;
        waiting.set(id, { resolve, reject });
        tell({ reserve: { id, size, uploader } });
      }),
  };
}
