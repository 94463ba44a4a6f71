import path from 'node:path';
import { type Config, describeStorage } from '../../config/config.js';
import { FilerError, UsageError } from '../../errors.js';
import type { Output } from '../../output.js';
import { openOwnedStore } from '../../service/open-configured-store.js';
import { openSlotIssuer } from '../../service/open-slot-issuer.js';
import { bucketUrl } from '../../storage/open-store.js';
import type { DoctorSettings } from './visit.js';

/** How to remove uploads from the store without leaving tombstones, or why this user cannot. */
async function findRemover(config: Config, output: Output): Promise<DoctorSettings['removeFromStore']> {
  try {
    const store = await openOwnedStore({ ...config, replayWindowMs: 0 }, output);
    return async (key) => (await store.delete(key)) !== undefined;
  } catch (error) {
    if (error instanceof UsageError || error instanceof FilerError) return error.message;
    throw error;
  }
}

/** The beginning of the URLs to which clients are sent for downloads. */
async function findDownloads({ s3 }: Config): Promise<URL | undefined> {
  if (s3 === undefined || s3.download === 'proxy') return undefined;
  return new URL((s3.download === 'public' ? s3.publicUrl : await bucketUrl(s3)) + s3.path);
}

/** How clients upload to the bucket, if they do. */
async function findDirect(config: Config): Promise<DoctorSettings['direct']> {
  const { component, s3 } = config;
  if (component?.upload !== 'direct' || s3 === undefined) return undefined;
  const issuer = await openSlotIssuer(component, config);
  return {
    giveSlot: (slot) => issuer.issue({ ...slot, uploader: 'doctor', expiresAt: undefined }, Date.now()),
    downloadsFrom: s3.publicUrl === undefined ? undefined : new URL(s3.publicUrl + s3.path),
  };
}

/** How an operator removes a slot's uploads without this program. */
function removeCommand(config: Config, slot: string): string {
  if (config.storeDir !== undefined) return `rm -r ${path.join(config.storeDir, slot)}`;
  return `aws s3 rm --recursive ${describeStorage(config)}${slot}`;
}

/** What the doctor needs to know to examine the server with this configuration through its public base URL. */
export async function doctorSettings(config: Config, url: URL, output: Output): Promise<DoctorSettings> {
  const [secret = ''] = config.secrets;
  const direct = await findDirect(config);
  return {
    ...config,
    url,
    secret,
    removeFromStore: await findRemover(config, output),
    slotUrl: direct?.downloadsFrom === undefined ? config.component?.baseUrl : undefined,
    direct,
    downloadsFrom: await findDownloads(config),
    storage: describeStorage(config),
    removeCommand: (slot) => removeCommand(config, slot),
  };
}
