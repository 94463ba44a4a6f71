import type { App } from './app.js';
import type { Connections } from './connections.js';
import type { HandlerContext } from './settings.js';

/**
 * Makes closing the server wait for running transfers, which it aborts after shutdownTimeout, and until the store has
 * finished with the last upload.
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
      const reason = `the server stopped, and the transfer did not finish within ${shutdownTimeoutMs / 1000} s (shutdownTimeout)`;
      const count = connections.breakOff(reason);
      logger.warn({ transfers: count }, `aborted ${count} transfers that did not finish within shutdownTimeout`);
    }, shutdownTimeoutMs);
    done();
  });
  app.addHook('onClose', async () => {
    clearTimeout(timer);
    await uploadLimit.whenIdle();
  });
}
