import { messageOf } from '../errors.js';
import type { Sweeper } from './sweeper.js';

/** A failed sweep is tried again after this time, since uploads may wait for its count. */
const retryMs = 60_000;

/** Sweeps now, and again `intervalMs` after each sweep. If a sweep fails, logs why and tries again sooner. */
export function sweepRegularly(
  sweeper: Pick<Sweeper, 'sweep' | 'stop'>,
  intervalMs: number,
  logger: { error(line: object, message: string): void },
): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const wait = (ms: number) => {
    if (!isStopped) timer = setTimeout(sweep, ms).unref();
  };
  const sweep = () => {
    sweeper.sweep().then(
      () => wait(intervalMs),
      (error: unknown) => {
        logger.error({ error: messageOf(error) }, 'the sweep failed');
        wait(Math.min(intervalMs, retryMs));
      },
    );
  };
  sweep();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
      return sweeper.stop();
    },
  };
}
