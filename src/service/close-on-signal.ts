import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import type { Notify } from './service-manager.js';

/**
 * Calls `close` and ends the process at the first signal or unexpected error. A second signal, or `delay` ms, end it at
 * once.
 */
export function closeOnSignal(delay: number, logger: Logger, notify: Notify, close: () => Promise<unknown>): void {
  closeWithGrace({ delay, logger }, async ({ signal, err }) => {
    if (err !== undefined) logger.fatal({ err }, 'unexpected error, stopping');
    else logger.info(`${signal}: finishing the running transfers`);
    notify('STOPPING=1', 'STATUS=finishing the running transfers');
    await close();
    logger.info('stopped');
  });
}
