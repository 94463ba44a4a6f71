import { messageOf } from '../errors.js';
import type { Sweeper } from './sweeper.js';

/** A failed sweep is tried again after this time, since uploads may wait for its count. */
const retryMs = 60_000;

/** Sweeps that go on until they are stopped. */
export interface RegularSweeps {
  /** When the next sweep begins, ms since the epoch; `undefined` while one is running. */
  readonly nextAt: number | undefined;
  /** Why the last sweep failed; `undefined` if it did not. */
  readonly failure: string | undefined;
  stop(): Promise<void>;
}

/**
 * Sweeps now, and again `intervalMs` after each sweep. If a sweep fails, logs why and tries again sooner.
 * `now` is in ms since the epoch.
 */
export function sweepRegularly(
  sweeper: Pick<Sweeper, 'sweep' | 'stop'>,
  intervalMs: number,
  logger: { error(line: object, message: string): void },
  now: () => number,
): RegularSweeps {
  let timer: NodeJS.Timeout | undefined;
  let nextAt: number | undefined;
  let failure: string | undefined;
  let isStopped = false;
  const wait = (ms: number) => {
    if (isStopped) return;
    nextAt = now() + ms;
    timer = setTimeout(sweep, ms).unref();
  };
  const sweep = () => {
    nextAt = undefined;
    sweeper.sweep().then(
      () => {
        failure = undefined;
        wait(intervalMs);
      },
      (error: unknown) => {
        failure = messageOf(error);
        logger.error({ error: failure }, 'the sweep failed');
        wait(Math.min(intervalMs, retryMs));
      },
    );
  };
  sweep();
  return {
    get nextAt() {
      return nextAt;
    },
    get failure() {
      return failure;
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      return sweeper.stop();
    },
  };
}
