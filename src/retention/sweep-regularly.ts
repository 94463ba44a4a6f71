import { messageOf } from '../errors.js';
import type { Sweeper } from './sweeper.js';

/** How soon a failed sweep is tried again: uploads may be waiting for its count. */
const retryMs = 60_000;

/** Sweeps now and then again this long (ms) after each sweep, sooner after one that failed, which is logged. */
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
