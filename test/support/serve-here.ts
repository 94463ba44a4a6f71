import { pino } from 'pino';
import { loadConfig } from '../../src/config/load-config.js';
import { openServedStore } from '../../src/service/open-configured-store.js';
import { serveAlone } from '../../src/service/processes.js';
import { findServiceManager } from '../../src/service/service-manager.js';
import { type Settings, writeConfig } from './program.js';
import type { Teardown } from './temp-dir.js';

/** Serves with these settings in the process of the test, which saves the time that the built program takes to start. */
export async function serveHere(
  t: Teardown,
  settings: Settings,
): Promise<{ readonly configFile: string; readonly origin: string }> {
  const { configFile } = await writeConfig(t, settings);
  const { config } = loadConfig(configFile);
  let origin = '';
  const write = (line: string) => {
    origin = JSON.parse(line).address ?? origin;
  };
  const log = { logger: pino({}, { write }), lostLines: () => 0, flush() {} };
  const { store } = await openServedStore(config, configFile, false, () => undefined);
  const running = await serveAlone(config, store, log, findServiceManager({}, process.pid), () => undefined);
  t.after(() => running.close());
  return { configFile, origin };
}
