import type { App } from './app.js';
import type { Connections } from './connections.js';
import type { HandlerContext } from './settings.js';

/**
 * Closing the server waits for running transfers, and breaks them off after shutdownTimeout. It is over when the store is done
 * with the last upload.
 */
export function closeInTime(
  app: App,
  connections: Connections,
  { settings: { shutdownTimeoutMs }, logger, uploadLimit }: HandlerContext,
): void {
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', (done) => {
    connections.close();
    timer = setTimeout(() => {
      const reason = `the server stopped, and the transfer did not end within ${shutdownTimeoutMs / 1000} s (shutdownTimeout)`;
      const count = connections.breakOff(reason);
      logger.warn({ transfers: count }, `broke off ${count} transfers that did not end within shutdownTimeout`);
    }, shutdownTimeoutMs);
    done();
  });
  app.addHook('onClose', async () => {
    clearTimeout(timer);
    await uploadLimit.whenIdle();
  });
}
