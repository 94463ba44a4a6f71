import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config/config.js';
import { FilerError, systemErrorCode } from '../../errors.js';
import { type Ownership, probeStore } from '../../storage/open-store.js';
import { formatSize } from '../../units.js';
import type { Verdict } from '../finding.js';
import { withoutKey } from './without-key.js';

/** A folder that exists. */
export interface ExistingFolder extends Ownership {
  readonly folder: string;
}

/** A folder and the folders above it that exist, the lowest first. */
export async function existingFolders(folder: string): Promise<ExistingFolder[]> {
  const found: ExistingFolder[] = [];
  for (let current = folder; ; current = path.dirname(current)) {
    const stats = await stat(current).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      return undefined;
    });
    if (stats !== undefined) found.push({ folder: current, mode: stats.mode, uid: stats.uid, gid: stats.gid });
    if (current === path.dirname(current)) return found;
  }
}

/** Whether uploads can be written to storeDir. */
export async function checkFolder(storeDir: string): Promise<Verdict> {
  try {
    const [warning] = await probeStore(storeDir);
    if (warning !== undefined) return { outcome: 'warning', found: withoutKey(warning, 'storeDir') };
    return `This user can write to ${storeDir}, and its file system has hard links.`;
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    const found = withoutKey(error.message, 'storeDir');
    if (error.code !== 'STORE_FULL') return { outcome: 'failure', found };
    return { found, change: 'Make room on the disk of storeDir, or delete uploads: prosody-filer purge' };
  }
}

/** Whether there is more free space than minFreeSpace. */
export async function checkFreeSpace(storeDir: string, { limits: { minFreeSpace } }: Config): Promise<Verdict> {
  const [nearest] = await existingFolders(storeDir);
  const { bavail, bsize } = await statfs(nearest?.folder ?? '/');
  const free = `${formatSize(bavail * bsize)} are free`;
  if (bavail * bsize > minFreeSpace) return `${free}.`;
  const limit = `less than minFreeSpace (${formatSize(minFreeSpace)})`;
  return {
    found: `${free}, ${limit}. prosody-filer answers uploads with 507.`,
    change: 'Make room on the disk of storeDir, or lower minFreeSpace.',
  };
}
