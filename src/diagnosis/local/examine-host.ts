import type { Config } from '../../config/config.js';
import { ConfigError } from '../../config/config-error.js';
import { type LoadedConfig, loadConfig } from '../../config/load-config.js';
import { type Report, runCheck, type Verdict } from '../finding.js';
import { checkComponent } from './check-component.js';
import { checkFolder, checkFreeSpace } from './check-folder.js';
import { checkListening } from './check-listening.js';
import { checkNginxAccess } from './check-nginx-access.js';
import { checkPurposes } from './check-purposes.js';
import { checkQuotas } from './check-quotas.js';
import { checkSecretFiles, checkSecrets } from './check-secrets.js';
import { checkOpenFiles, checkSynchronisation } from './check-system.js';
import { examineBucket } from './examine-bucket.js';
import { explainCronDeletion, findCronDeletions } from './find-cron-deletions.js';

function tryToLoad(configFile: string): LoadedConfig | ConfigError {
  try {
    return loadConfig(configFile);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

async function checkCron(storeDir: string): Promise<Verdict[]> {
  const files = await findCronDeletions(storeDir);
  return files.map((file) => ({ outcome: 'warning', ...explainCronDeletion(storeDir, file) }));
}

async function examineFolder(config: Config, storeDir: string, report: Report): Promise<void> {
  if (!(await runCheck(report, 'storeDir', () => checkFolder(storeDir)))) return;
  await runCheck(report, 'free space', () => checkFreeSpace(storeDir, config));
  await runCheck(report, 'nginx', () => checkNginxAccess(storeDir, config));
  await runCheck(report, 'cron', () => checkCron(storeDir));
}

/** Checks a configuration and what it needs on this host, in its bucket and of the XMPP server; leaves nothing behind and disturbs no server. */
export async function examineHost(configFile: string, report: Report): Promise<void> {
  const loaded = tryToLoad(configFile);
  if (loaded instanceof ConfigError) {
    await runCheck(report, 'config', () => loaded.problems.map((found) => ({ outcome: 'failure', found })));
    return;
  }
  const { config } = loaded;
  const { metricsListen, component } = config;
  await runCheck(report, 'config', () => `${configFile} has no mistakes.`);
  await runCheck(report, 'secret', () => checkSecrets(loaded));
  await runCheck(report, 'secret files', () => checkSecretFiles(loaded));
  if (config.s3 === undefined) await examineFolder(config, config.storeDir, report);
  else await examineBucket(config, config.s3, report);
  await runCheck(report, 'listenPort', () => checkListening(config.listen, 'listenPort'));
  if (metricsListen !== undefined) {
    await runCheck(report, 'metricsListen', () => checkListening(metricsListen, 'metricsListen'));
  }
  if (component !== undefined) await runCheck(report, 'component', () => checkComponent(component));
  await runCheck(report, 'retention', () => checkPurposes(config));
  await runCheck(report, 'quotas', () => checkQuotas(config));
  await runCheck(report, 'clock', () => checkSynchronisation());
  await runCheck(report, 'open files', () => checkOpenFiles(config));
}
