import { realpath, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config/config.js';
import { FilerError, systemErrorCode } from '../../errors.js';
import { findUser, type SystemUser } from '../../service/system-user.js';
import { type Ownership, probeModes, probeStore } from '../../storage/open-store.js';
import { formatSize } from '../../units.js';
import type { Problem, Verdict } from '../finding.js';
import { withoutKey } from './without-key.js';

/** The users that nginx runs as: on Debian and Alpine, on other distributions, on Arch. */
const nginxUsers = ['www-data', 'nginx', 'http'];

/** A folder that exists. */
interface ExistingFolder extends Ownership {
  readonly folder: string;
}

/** A folder and the folders above it that exist, the lowest first. */
async function existingFolders(folder: string): Promise<ExistingFolder[]> {
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
    await probeStore(storeDir);
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

/** Whether the mode gives that user a permission (4 read, 1 enter); access control lists are not looked at. */
function may(permission: 4 | 1, user: SystemUser, { mode, uid, gid }: Ownership): boolean {
  const shift = user.uid === uid ? 6 : user.gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & permission) !== 0;
}

function describeOwnership({ mode, uid, gid }: Ownership): string {
  return `mode ${(mode & 0o777).toString(8).padStart(4, '0')}, user ${uid}, group ${gid}`;
}

/** Why nginx cannot serve files itself, and what to do about it. */
async function findObstacle(user: SystemUser, storeDir: string, config: Config): Promise<Problem | undefined> {
  // Where storeDir is a symbolic link, nginx must pass through the folders that it leads to.
  const real = await realpath(storeDir).catch(() => storeDir);
  const folders = await existingFolders(real);
  const subject = `nginx (user ${user.name}) may not`;
  const closed = folders.find((folder) => !may(1, user, folder));
  if (closed !== undefined) {
    return { found: `${subject} enter ${closed.folder}.`, change: `chmod o+x ${closed.folder}` };
  }
  const { folder, file } = await probeModes(real, config);
  const group = `or give ${real} and the folders in it the group of nginx: chgrp and chmod g+s`;
  const isOther = folder.uid !== folders[0]?.uid;
  const hint = isOther ? ' This user does not own storeDir: check again with --user and the name of the owner.' : '';
  if (!may(1, user, folder)) {
    const found = `${subject} enter the folders of uploads: they get ${describeOwnership(folder)}.${hint}`;
    return { found, change: `Change dirMode, ${group}` };
  }
  if (may(4, user, file)) return undefined;
  const found = `${subject} read uploads: they get ${describeOwnership(file)}.${hint}`;
  return { found, change: `Change fileMode, ${group}` };
}

/** Whether nginx could serve the files of uploads itself; nothing on a host without nginx's user. */
export async function checkNginxAccess(storeDir: string, config: Config): Promise<Verdict[]> {
  const [user] = (await Promise.all(nginxUsers.map(findUser))).filter((found) => found !== undefined);
  if (user === undefined) return [];
  const obstacle = await findObstacle(user, storeDir, config);
  if (obstacle !== undefined) {
    if (config.accelRedirect !== undefined) return [obstacle];
    const change = `Nothing, if nginx passes each request on. If it serves files itself (try_files): ${obstacle.change}`;
    return [{ outcome: 'warning', ...obstacle, change }];
  }
  const readable = `nginx (user ${user.name}) can read uploads.`;
  if (config.retention.expiresAfterMs === undefined && config.retention.rules.length === 0) return [readable];
  const found =
    'If nginx serves files itself (try_files), it serves expired uploads until the next sweep deletes them.';
  const change =
    'Nothing, if nginx passes each request to prosody-filer. Otherwise set accelRedirect, or lower sweepInterval.';
  return [readable, { outcome: 'warning', found, change }];
}
