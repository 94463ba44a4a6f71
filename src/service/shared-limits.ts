/*
 * The limits of several workers are kept by their supervisor, whom each asks over its channel:
 *
 *   worker → supervisor   { reserve: { id, key, size, uploader } }     { makeRoom: { id, arrived } }
 *                         { settle: { id, isStored, sentBytes } }      { forget: { key, size, uploader } }
 *                         { arrived: [[id, bytes], …] }
 *   supervisor → worker   { reserved: { id, isEvicting } }             { room: { id, bytes } }
 *                         { refused: { id, code, message, retryAt } }
 *
 * An upload waits for one answer at a time.
 */
import cluster, { type Worker } from 'node:cluster';
import { type ErrorCode, FilerError } from '../errors.js';
import type { ForgottenUpload, Limits, PlannedUpload, Reservation } from '../retention/limits.js';
import { heldBytes } from '../retention/running-uploads.js';

/** How often a worker tells what has arrived of its uploads. */
const arrivalIntervalMs = 1000;

/** What concerns one upload of a worker's. */
interface Numbered {
  readonly id: number;
}

/** Other modules use the channel too, so each part may be missing. */
interface ToSupervisor {
  readonly reserve?: Numbered & Omit<PlannedUpload, 'arrived'>;
  readonly makeRoom?: Numbered & { readonly arrived: number };
  readonly settle?: Numbered & { readonly isStored: boolean; readonly sentBytes: number };
  readonly forget?: ForgottenUpload;
  readonly arrived?: readonly (readonly [id: number, bytes: number])[];
}

interface ToWorker {
  readonly reserved?: Numbered & { readonly isEvicting: boolean };
  readonly room?: Numbered & { readonly bytes: number };
  readonly refused?: Numbered & {
    readonly code: ErrorCode;
    readonly message: string;
    readonly retryAt?: number;
  };
}

/** An upload of a worker's, as the supervisor knows it. */
interface KnownUpload {
  readonly reservation: Reservation;
  readonly arrival: { bytes: number };
}

function toRefusal(id: number, error: unknown): ToWorker {
  const { code, message, retryAt } =
    error instanceof FilerError ? error : new FilerError('STORE_FAILED', String(error));
  return { refused: { id, code, message, ...(retryAt === undefined ? {} : { retryAt }) } };
}

/** Answers a worker's reservations; what a worker that dies had reserved is free again. */
export function shareLimits(worker: Worker, limits: Limits): void {
  const uploads = new Map<number, KnownUpload>();
  const answer = async (id: number, ask: () => Promise<ToWorker>) => {
    const message = await ask().catch((error: unknown) => toRefusal(id, error));
    if (worker.isConnected()) worker.send(message);
  };
  const reserve = async ({ id, ...planned }: Numbered & Omit<PlannedUpload, 'arrived'>): Promise<ToWorker> => {
    const arrival = { bytes: 0 };
    const reservation = await limits.reserve({ ...planned, arrived: () => arrival.bytes });
    if (worker.isDead()) reservation.settle(false, 0);
    else uploads.set(id, { reservation, arrival });
    return { reserved: { id, isEvicting: reservation.makeRoom !== undefined } };
  };
  const noteArrival = (id: number, bytes: number) => {
    const upload = uploads.get(id);
    if (upload !== undefined) upload.arrival.bytes = bytes;
  };
  const makeRoom = async (id: number, arrived: number): Promise<ToWorker> => {
    noteArrival(id, arrived);
    const bytes = await uploads.get(id)?.reservation.makeRoom?.(arrived);
    return { room: { id, bytes: bytes ?? 0 } };
  };
  worker.on('message', ({ reserve: planned, makeRoom: wanted, settle, forget, arrived = [] }: ToSupervisor) => {
    if (planned !== undefined) answer(planned.id, () => reserve(planned));
    if (wanted !== undefined) answer(wanted.id, () => makeRoom(wanted.id, wanted.arrived));
    if (settle !== undefined) {
      uploads.get(settle.id)?.reservation.settle(settle.isStored, settle.sentBytes);
      uploads.delete(settle.id);
    }
    if (forget !== undefined) limits.forget(forget);
    for (const [id, bytes] of arrived) noteArrival(id, bytes);
  });
  worker.once('exit', () => {
    for (const { reservation } of uploads.values()) reservation.settle(false, 0);
  });
}

/** In a worker: the supervisor's limits. With `tellsArrival` it is told how many bytes of large uploads have arrived. */
export function supervisorsLimits({ tellsArrival }: { readonly tellsArrival: boolean }): Limits {
  const waiting = new Map<number, { resolve(answer: ToWorker): void; reject(error: FilerError): void }>();
  const running = new Map<number, PlannedUpload>();
  let count = 0;
  const tell = (message: ToSupervisor) => cluster.worker?.isConnected() && cluster.worker.send(message);
  const ask = (id: number, message: ToSupervisor): Promise<ToWorker> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      tell(message);
    });
  cluster.worker?.on('message', (message: ToWorker) => {
    const { reserved, room, refused } = message;
    const id = (reserved ?? room ?? refused)?.id;
    if (id === undefined) return;
    const asking = waiting.get(id);
    waiting.delete(id);
    if (refused === undefined) asking?.resolve(message);
    else asking?.reject(new FilerError(refused.code, refused.message, refused));
  });
  const tellArrival = () => {
    const large = [...running].filter(([, { size }]) => size > heldBytes);
    if (large.length > 0) tell({ arrived: large.map(([id, upload]) => [id, upload.arrived()]) });
  };
  if (tellsArrival) setInterval(tellArrival, arrivalIntervalMs).unref();
  return {
    reserve: async (upload) => {
      const { key, size, uploader } = upload;
      const id = count++;
      const { reserved } = await ask(id, { reserve: { id, key, size, uploader } });
      running.set(id, upload);
      const makeRoom = async (arrived: number) => (await ask(id, { makeRoom: { id, arrived } })).room?.bytes ?? 0;
      return {
        makeRoom: reserved?.isEvicting === true ? makeRoom : undefined,
        settle: (isStored, sentBytes) => {
          running.delete(id);
          tell({ settle: { id, isStored, sentBytes } });
        },
      };
    },
    forget: ({ key, size, uploader }) => tell({ forget: { key, size, uploader } }),
  };
}
