import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Config } from '../config/config.js';
import { ConfigError } from '../config/config-error.js';
import { FilerError, messageOf, UsageError } from '../errors.js';
import type { Output } from '../output.js';
import { compileRetention } from '../retention/expiry.js';
import { tombstonePhases } from '../retention/tombstone-phase.js';
import { openStore, readStore } from '../storage/open-store.js';
import type { Store } from '../storage/store.js';
import { UploaderIds } from '../upload/uploader.js';

/** The options of the store that the configuration describes. */
function storeOptions(config: Config) {
  return {
    ...config,
    minFreeSpace: config.limits.minFreeSpace,
    lifetimes: compileRetention(config.retention),
    tombstonePhase: tombstonePhases(config.replayWindowMs),
    uploaderIds: new UploaderIds(config.secrets, config.jidInUrlDomain),
  };
}

/**
 * Opens the store for the server, without trying it if `isTried`; resolves to the store and warnings for the operator.
 * Throws a ConfigError that names the configuration file, or `STORE_FAILED` if the store may work at a later start.
 */
export async function openServedStore(
  config: Config,
  configFile: string,
  isTried: boolean,
  warn: (message: string) => void,
) {
  try {
    return await openStore({ ...storeOptions(config), isTried, warn });
  } catch (error) {
    if (!(error instanceof FilerError) || error.code === 'STORE_FAILED') throw error;
    throw new ConfigError([`${configFile}: ${error.message}`], { cause: error });
  }
}

async function requireOwner(storeDir: string): Promise<void> {
  const { uid } = await stat(storeDir).catch((error: unknown) => {
    const advice = 'Check the path, or start the server once: it creates the folder';
    throw new UsageError(`storeDir: expected an existing folder, ${messageOf(error)}. ${advice}`);
  });
  const own = userInfo().uid;
  if (uid === own) return;
  throw new UsageError(
    `storeDir: ${storeDir} belongs to user ${uid}, but this command runs as user ${own}. Run it with sudo -u '#${uid}'`,
  );
}

/**
 * Opens the store for a command that changes it. Throws a UsageError if its folder does not exist, or belongs to another
 * user: the server could not read files that this user makes.
 */
export async function openOwnedStore(config: Config, { warn }: Pick<Output, 'warn'>): Promise<Store> {
  if (config.storeDir !== undefined) await requireOwner(config.storeDir);
  const { store, warnings } = await openStore({ ...storeOptions(config), warn });
  warnings.forEach(warn);
  return store;
}

/** Opens the store for a command that only lists it; changes nothing. Throws `STORE_UNUSABLE` if it does not exist. */
export function openListedStore(config: Config): Promise<Pick<Store, 'list'>> {
  return readStore(storeOptions(config));
}
