import { setTimeout as sleep } from 'node:timers/promises';
import { FilerError, messageOf } from '../errors.js';
import type { FreeSpace, Probing } from '../storage/store.js';

/** A disk that hangs does not fail: its calls never return. */
const maxCheckMs = 5000;

/** Whether the store accepts uploads: the JSON body of /healthz. */
export type Health =
  | { readonly status: 'ok'; readonly freeBytes?: number }
  | { readonly status: 'failing'; readonly reason: string };

async function refuseAfter(delayMs: number): Promise<never> {
  await sleep(delayMs, undefined, { ref: false });
  throw new FilerError('STORE_BUSY', `the store did not answer within ${delayMs / 1000} s`);
}

/** Makes the function that tries the store. It answers within 5 s and never rejects. */
export function healthCheck(store: Probing & Partial<FreeSpace>): () => Promise<Health> {
  let running: Promise<void> | undefined;
  return async () => {
    // Only one check at a time: each one that hangs occupies a thread that uploads need.
    running ??= store.check().finally(() => {
      running = undefined;
    });
    try {
      await Promise.race([running, refuseAfter(maxCheckMs)]);
      const freeBytes = await store.freeBytes?.();
      return freeBytes === undefined ? { status: 'ok' } : { status: 'ok', freeBytes };
    } catch (error) {
      return { status: 'failing', reason: messageOf(error) };
    }
  };
}
