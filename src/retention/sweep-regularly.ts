import { messageOf } from '../errors.js';
import type { Sweeper } from './sweeper.js';

/** Sweeps now and then again after each interval (ms); a failed sweep is logged and tried again by the next one. */
export function sweepRegularly(
  sweeper: Sweeper,
  intervalMs: number,
  logger: { error(line: object, message: string): void },
): { stop(): Promise<void> } {
  const sweep = () => {
    sweeper.sweep().catch((error: unknown) => logger.error({ error: messageOf(error) }, 'the sweep failed'));
  };
  const timer = setInterval(sweep, intervalMs).unref();
  sweep();
  return {
    stop: () => {
      clearInterval(timer);
      return sweeper.stop();
    },
  };
}
