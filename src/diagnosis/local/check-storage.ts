import { realpath, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../config/config.js';
import { FilerError, systemErrorCode } from '../../errors.js';
import { findUser, type SystemUser } from '../../service/system-user.js';
import { type Ownership, probeModes } from '../../storage/disk/probe-modes.js';
import { probeStore } from '../../storage/open-store.js';
import { formatSize } from '../../units.js';
import type { Check } from './check.js';
import { cronWarning, findCronDeletions } from './find-cron-deletions.js';

/** Whom Debian and Alpine, the others, and Arch run nginx as. */
const nginxUsers = ['www-data', 'nginx', 'http'];

const expiryWarning =
  'expiresAfter: where nginx serves storeDir by itself (try_files), expired uploads are there until the next sweep';

/** A folder and those above it that exist, the lowest first. */
async function existingFolders(folder: string) {
  const found: { folder: string; mode: number; uid: number; gid: number }[] = [];
  for (let current = folder; ; current = path.dirname(current)) {
    const stats = await stat(current).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      return undefined;
    });
    if (stats !== undefined) found.push({ folder: current, mode: stats.mode, uid: stats.uid, gid: stats.gid });
    if (current === path.dirname(current)) return found;
  }
}

/** Whether the mode's permission (4 read, 1 enter) is that user's; access control lists are not looked at. */
function may(permission: 4 | 1, user: SystemUser, { mode, uid, gid }: { mode: number; uid: number; gid: number }) {
  const shift = user.uid === uid ? 6 : user.gids.includes(gid) ? 3 : 0;
  return ((mode >> shift) & permission) !== 0;
}

function describeOwnership({ mode, uid, gid }: Ownership): string {
  return `mode ${(mode & 0o777).toString(8).padStart(4, '0')}, user ${uid}, group ${gid}`;
}

/** What keeps nginx from serving files itself, and what to do about it. */
async function findObstacle(user: SystemUser, storeDir: string, config: Config): Promise<string | undefined> {
  // Where storeDir is a symbolic link, nginx must pass through the folders that it leads to.
  const real = await realpath(storeDir).catch(() => storeDir);
  const folders = await existingFolders(real);
  const closed = folders.find((folder) => !may(1, user, folder));
  if (closed !== undefined) return `may not enter ${closed.folder}: chmod o+x ${closed.folder}`;
  const { folder, file } = await probeModes(real, config);
  const isOther = folder.uid !== folders[0]?.uid;
  const hint = isOther ? '; this user is not the owner of storeDir: check with --user and the name of the owner' : '';
  const group = `or set the group: chgrp and chmod g+s on ${real} and the folders in it${hint}`;
  if (!may(1, user, folder)) {
    return `may not enter the folders of uploads: change dirMode (they get ${describeOwnership(folder)}), ${group}`;
  }
  if (may(4, user, file)) return undefined;
  return `may not read uploads: change fileMode (they get ${describeOwnership(file)}), ${group}`;
}

async function checkForNginx(storeDir: string, config: Config): Promise<Check[]> {
  const [user] = (await Promise.all(nginxUsers.map(findUser))).filter((found) => found !== undefined);
  if (user === undefined) return [];
  const obstacle = await findObstacle(user, storeDir, config);
  if (obstacle === undefined) {
    const expiry = { verdict: 'warning', message: expiryWarning } as const;
    const expires = config.retention.expiresAfterMs !== undefined || config.retention.rules.length > 0;
    return [
      { verdict: 'ok', message: `storeDir: nginx's user ${user.name} can read uploads` },
      ...(expires ? [expiry] : []),
    ];
  }
  const message = `storeDir: where nginx serves files itself, its user ${user.name} ${obstacle}`;
  return [{ verdict: config.accelRedirect === undefined ? 'warning' : 'problem', message }];
}

async function checkFreeSpace(storeDir: string, { limits: { minFreeSpace } }: Config): Promise<Check> {
  const [nearest] = await existingFolders(storeDir);
  const { bavail, bsize } = await statfs(nearest?.folder ?? '/');
  const free = `${formatSize(bavail * bsize)} are free`;
  if (bavail * bsize > minFreeSpace) return { verdict: 'ok', message: `storeDir: ${free}` };
  const message = `minFreeSpace: ${free}, ${formatSize(minFreeSpace)} must stay so, and uploads are 507: make room`;
  return { verdict: 'problem', message };
}

async function checkFolder(storeDir: string, config: Config): Promise<Check[]> {
  try {
    await probeStore(storeDir);
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    // A start goes on with a full disk.
    return [{ verdict: error.code === 'STORE_FULL' ? 'problem' : 'failure', message: error.message }];
  }
  const message = `storeDir: ${storeDir} can be written to and has hard links`;
  const free = await checkFreeSpace(storeDir, config);
  return [
    { verdict: 'ok', message },
    free,
    ...(await checkForNginx(storeDir, config)),
    ...(await findCronDeletions(storeDir)).map(
      (file): Check => ({ verdict: 'warning', message: cronWarning(storeDir, file) }),
    ),
  ];
}

/** Whether uploads can be stored, and read by nginx or past this program. */
export async function checkStorage(config: Config): Promise<Check[]> {
  if (config.storeDir !== undefined) return checkFolder(config.storeDir, config);
  const { checkS3 } = await import('./check-s3.js');
  return checkS3(config, config.s3);
}
