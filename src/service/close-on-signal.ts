import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import type { Notify } from './service-manager.js';

/** Closes and ends the process at the first signal or unexpected error; at once at a second one, or after the delay (ms). */
export function closeOnSignal(delay: number, logger: Logger, notify: Notify, close: () => Promise<unknown>): void {
  closeWithGrace({ delay, logger }, async ({ signal, err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error, stopping');
    else logger.info(`${signal}: finishing what is running`);
    notify('STOPPING=1', 'STATUS=finishing what is running');
    await close();
    logger.info('stopped');
  });
}
