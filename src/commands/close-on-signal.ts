import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';

/** Closes and ends the process at the first signal or unexpected error; at once at a second one, or after the delay (ms). */
export function closeOnSignal(delay: number, logger: Logger, close: () => Promise<unknown>): void {
  closeWithGrace({ delay, logger }, async ({ signal, err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error, stopping');
    else logger.info(`${signal}: finishing what is running`);
    await close();
    logger.info('stopped');
  });
}
