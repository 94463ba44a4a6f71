import { stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Config } from '../config/config.js';
import { messageOf, UsageError } from '../errors.js';
import type { Output } from '../output.js';
import { tombstonePhases } from '../retention/tombstone-phase.js';
import { openStore } from '../storage/open-store.js';
import type { Store } from '../storage/store.js';
import { UploaderIds } from '../upload/uploader.js';

async function requireOwner(storeDir: string): Promise<void> {
  const { uid } = await stat(storeDir).catch((error: unknown) => {
    throw new UsageError(`storeDir: expected the folder of a server that has run, ${messageOf(error)}`);
  });
  const own = userInfo().uid;
  if (uid === own) return;
  throw new UsageError(
    `${storeDir} belongs to user ${uid}, this is user ${own}: run the command with sudo -u '#${uid}'`,
  );
}

/**
 * Opens the store for a command that changes it. Throws a UsageError where there is none, and for another user than the
 * owner of its folder, whose files the server could not read.
 */
export async function openOwnedStore({ limits, ...config }: Config, { warn }: Pick<Output, 'warn'>): Promise<Store> {
  if (config.storeDir !== undefined) await requireOwner(config.storeDir);
  const { store, warnings } = await openStore({
    ...config,
    minFreeSpace: limits.minFreeSpace,
    tombstonePhase: tombstonePhases(config.replayWindowMs),
    uploaderIds: new UploaderIds(config.secrets),
    warn,
  });
  warnings.forEach(warn);
  return store;
}
