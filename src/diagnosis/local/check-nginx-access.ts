import { realpath } from 'node:fs/promises';
import type { Config } from '../../config/config.js';
import { defaultAccelRedirect } from '../../config/default-config.js';
import { internalLocation } from '../../config/nginx-locations.js';
import type { SystemUser } from '../../service/system-user.js';
import { type MadeOwnership, type Ownership, probeModes } from '../../storage/open-store.js';
import type { Problem, Verdict } from '../finding.js';
import { type ExistingFolder, existingFolders } from './check-folder.js';
import { findOldUpload } from './find-old-upload.js';
import { describeOwnership, findNginxUser, isForGroup, joinGroup, may, nginxUsers } from './nginx-user.js';

/** The folder of units with DynamicUser=yes, which systemd closes. */
const privateFolder = '/var/lib/private/';

/** The command that lets that user enter a folder: by its group, if that is the group of the uploads and not root's. */
function openFolder(user: SystemUser, closed: ExistingFolder, groupOfUploads: number | undefined): string {
  const { folder, gid } = closed;
  if (gid === 0 || gid !== groupOfUploads) return `chmod o+x ${folder}`;
  const commands = isForGroup('enter', closed) ? [] : [`chmod g+x ${folder}`];
  if (!user.gids.includes(gid)) commands.push(joinGroup(user, gid));
  return commands.join(' && ');
}

/** Why nginx cannot reach storeDir. */
async function findClosedFolder(user: SystemUser, storeDir: string): Promise<Problem | undefined> {
  const folders = await existingFolders(storeDir);
  const closed = folders.find((folder) => !may('enter', user, folder));
  if (closed === undefined) return undefined;
  const found = `nginx (user ${user.name}) may not enter ${closed.folder}.`;
  if (!storeDir.startsWith(privateFolder))
    return { found, change: `Run: ${openFolder(user, closed, folders[0]?.gid)}` };
  const cause = `systemd closes ${privateFolder}, which has the files of units with DynamicUser=yes.`;
  return { found, cause, change: 'Use prosody-filer.service without DynamicUser=yes: see "systemd" in the README.' };
}

/** Why nginx could not read uploads that arrive from now on. */
function findClosedUpload(user: SystemUser, storeDir: string, { folder, file }: MadeOwnership): Problem | undefined {
  const explain = (what: string, setting: string, made: Ownership, isOpen: boolean): Problem => {
    const share = `give ${storeDir} and the folders in it the group of nginx (chgrp, chmod g+s)`;
    const join = made.gid === 0 ? share : joinGroup(user, made.gid);
    return {
      found: `nginx (user ${user.name}) may not ${what}: they get ${describeOwnership(made)}.`,
      change: isOpen ? `Run as root: ${join}` : `Set ${setting} in config.toml and restart prosody-filer. Then ${join}`,
    };
  };
  if (!may('enter', user, folder)) {
    return explain('enter the folders of uploads', 'dirMode = "0750"', folder, isForGroup('enter', folder));
  }
  if (may('read', user, file)) return undefined;
  return explain('read uploads', 'fileMode = "0640"', file, isForGroup('read', file));
}

async function findObstacle(user: SystemUser, storeDir: string, config: Config): Promise<Problem | undefined> {
  // Where storeDir is a symbolic link, nginx must pass through the folders that it leads to.
  const real = await realpath(storeDir).catch(() => storeDir);
  const closed = await findClosedFolder(user, real);
  if (closed !== undefined) return closed;
  const made = await probeModes(real, config);
  const problem = findClosedUpload(user, real, made);
  const [lowest] = await existingFolders(real);
  if (problem === undefined) return lowest?.folder === real ? findOldUpload(user, lowest) : undefined;
  if (made.folder.uid === lowest?.uid) return problem;
  const hint = 'This user does not own storeDir: check again with --user and the name of the owner.';
  return { ...problem, found: `${problem.found} ${hint}` };
}

/** What an operator may do whose nginx could send the files, but is not asked to. */
function adviseWithout(config: Config, storeDir: string, obstacle: Problem | undefined): Verdict[] {
  const set = `Set accelRedirect = "${defaultAccelRedirect}" in config.toml and restart prosody-filer.`;
  if (obstacle !== undefined) {
    const change = `Nothing, if nginx passes each request on. To let nginx send the files: ${obstacle.change}`;
    return [{ outcome: 'warning', ...obstacle, change }];
  }
  const hint: Verdict = {
    outcome: 'ok',
    found: 'nginx can read uploads, but accelRedirect is not set: prosody-filer sends the downloads, which is slower.',
    change: `${set} In nginx, add to the server block:`,
    paste: internalLocation(defaultAccelRedirect, storeDir),
  };
  if (config.retention.expiresAfterMs === undefined && config.retention.rules.length === 0) return [hint];
  const found =
    'If nginx serves files itself (try_files), it serves expired uploads until the next sweep deletes them.';
  const change =
    'Nothing, if nginx passes each request to prosody-filer. Otherwise set accelRedirect, or lower sweepInterval.';
  return [hint, { outcome: 'warning', found, change }];
}

/** Whether nginx could read the files of uploads. */
export async function checkNginxAccess(storeDir: string, config: Config): Promise<Verdict[]> {
  const isAsked = config.accelRedirect !== undefined;
  const user = await findNginxUser();
  if (user === undefined) {
    const skipped = `This host has no user of nginx (${nginxUsers.join(', ')}). Run prosody-filer doctor with the public URL.`;
    return isAsked ? [{ skipped }] : [];
  }
  const obstacle = await findObstacle(user, storeDir, config);
  if (!isAsked) return adviseWithout(config, storeDir, obstacle);
  return [obstacle ?? `nginx (user ${user.name}) can read uploads, as accelRedirect requires.`];
}
