/*
 * The supervisor keeps the limits for all workers. Each worker asks it through the cluster channel:
 *
 *   worker → supervisor   { reserve: { id, key, size, uploader, quota } }     { makeRoom: { id, arrived } }
 *                         { settle: { id, isStored, sentBytes } }             { forget: { key, size, uploader } }
 *                         { arrived: [[id, bytes], …] }
 *   supervisor → worker   { reserved: { id, isEvicting } }                    { room: { id, bytes } }
 *                         { refused: { id, code, message, retryAt } }
 *
 * Each upload waits for one answer at a time, so that its id is enough to find the question.
 */
import cluster, { type Worker } from 'node:cluster';
import { type ErrorCode, FilerError } from '../errors.js';
import type { ForgottenUpload, Limits, PlannedUpload, Reservation } from '../retention/limits.js';
import { heldBytes } from '../retention/running-uploads.js';
import type { UploadKey } from '../upload/upload-key.js';

/** How often a worker reports how many bytes of its uploads have arrived. */
const arrivalIntervalMs = 1000;

/** The part of a message that says which upload of the worker it is about. */
interface Numbered {
  readonly id: number;
}

/** Other modules use the same channel, so each part may be missing. */
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

/** What the supervisor knows of an upload that a worker receives. */
interface KnownUpload {
  readonly key: UploadKey;
  readonly reservation: Reservation;
  readonly arrival: { bytes: number };
}

function toRefusal(id: number, error: unknown): ToWorker {
  const { code, message, retryAt } =
    error instanceof FilerError ? error : new FilerError('STORE_FAILED', String(error));
  return { refused: { id, code, message, ...(retryAt === undefined ? {} : { retryAt }) } };
}

/**
 * Answers the reservations of a worker. If the worker dies, its reservations end: an upload that it had stored and not
 * reported yet counts as stored.
 */
export function shareLimits(worker: Worker, limits: Limits, isStored: (key: UploadKey) => Promise<boolean>): void {
  const uploads = new Map<number, KnownUpload>();
  const answer = async (id: number, ask: () => Promise<ToWorker>) => {
    const message = await ask().catch((error: unknown) => toRefusal(id, error));
    if (worker.isConnected()) worker.send(message);
  };
  const settle = (id: number, wasStored: boolean, sentBytes: number) => {
    const upload = uploads.get(id);
    uploads.delete(id);
    upload?.reservation.settle(wasStored, sentBytes);
  };
  const reserve = async ({ id, ...planned }: Numbered & Omit<PlannedUpload, 'arrived'>): Promise<ToWorker> => {
    const arrival = { bytes: 0 };
    const reservation = await limits.reserve({ ...planned, arrived: () => arrival.bytes });
    if (worker.isDead()) reservation.settle(false, 0);
    else uploads.set(id, { key: planned.key, reservation, arrival });
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
  worker.on('message', ({ reserve: planned, makeRoom: wanted, settle: end, forget, arrived = [] }: ToSupervisor) => {
    if (planned !== undefined) answer(planned.id, () => reserve(planned));
    if (wanted !== undefined) answer(wanted.id, () => makeRoom(wanted.id, wanted.arrived));
    if (end !== undefined) settle(end.id, end.isStored, end.sentBytes);
    if (forget !== undefined) limits.forget(forget);
    for (const [id, bytes] of arrived) noteArrival(id, bytes);
  });
  const settleOfDead = async (id: number, key: UploadKey) => settle(id, await isStored(key).catch(() => false), 0);
  worker.once('exit', () => {
    for (const [id, { key }] of uploads) void settleOfDead(id, key);
  });
}

/** In a worker: the limits that the supervisor keeps. With `reportsArrival`, it hears how many bytes of large uploads have arrived. */
export function supervisorsLimits({ reportsArrival }: { readonly reportsArrival: boolean }): Limits {
  const waiting = new Map<number, { resolve(answer: ToWorker): void; reject(error: FilerError): void }>();
  const running = new Map<number, PlannedUpload>();
  let count = 0;
  const send = (message: ToSupervisor) => cluster.worker?.isConnected() && cluster.worker.send(message);
  const ask = (id: number, message: ToSupervisor): Promise<ToWorker> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      send(message);
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
  const reportArrival = () => {
    const large = [...running].filter(([, { size }]) => size > heldBytes);
    if (large.length > 0) send({ arrived: large.map(([id, upload]) => [id, upload.arrived()]) });
  };
  if (reportsArrival) setInterval(reportArrival, arrivalIntervalMs).unref();
  return {
    reserve: async (upload) => {
      const { key, size, uploader, quota } = upload;
      const id = count++;
      const { reserved } = await ask(id, { reserve: { id, key, size, uploader, quota } });
      running.set(id, upload);
      const makeRoom = async (arrived: number) => (await ask(id, { makeRoom: { id, arrived } })).room?.bytes ?? 0;
      return {
        makeRoom: reserved?.isEvicting === true ? makeRoom : undefined,
        settle: (isStored, sentBytes) => {
          running.delete(id);
          send({ settle: { id, isStored, sentBytes } });
        },
      };
    },
    forget: ({ key, size, uploader }) => send({ forget: { key, size, uploader } }),
  };
}
