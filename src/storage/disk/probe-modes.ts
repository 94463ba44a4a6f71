import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { reservedFolder } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders } from './folders.js';
import { inNewFolder } from './in-new-folder.js';
import { newFileMode, temporaryFolder } from './temporary-folder.js';

const setgid = 0o2000;

/** The configured modes. */
interface Modes {
  readonly fileMode?: number | undefined;
  readonly dirMode?: number | undefined;
}

/** Owner, group and mode of a file or folder. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What an upload and its folder would get. */
export interface MadeOwnership {
  readonly folder: Ownership;
  readonly file: Ownership;
}

/**
 * Makes folders and a file as an upload would, looks at them, and removes them. A folder's group comes from storeDir. A file's
 * group comes from the temporary folder, where uploads are made.
 */
export async function probeModes(storeDir: string, { fileMode, dirMode }: Modes): Promise<MadeOwnership> {
  const folder = await inNewFolder(storeDir, async (own) => {
    await ensureFolders(own, ['uploader', 'slot'], dirMode);
    return lstat(path.join(own, 'uploader', 'slot'));
  });
  const file = await inNewFolder(path.join(storeDir, temporaryFolder), async (own) => {
    const fd = await disk.open(path.join(own, 'f'), 'wx', newFileMode);
    try {
      if (fileMode !== undefined) await disk.fchmod(fd, fileMode);
      return await lstat(path.join(own, 'f'));
    } finally {
      await disk.close(fd);
    }
  });
  return { folder, file };
}

/** Why new uploads would not get the group of a storeDir with the setgid bit, and what to do, a line each. */
export async function findGroupObstacles(storeDir: string, modes: Modes): Promise<string[]> {
  const { mode, gid } = await stat(storeDir);
  if ((mode & setgid) === 0) return [];
  const { folder, file } = await probeModes(storeDir, modes);
  const obstacles: string[] = [];
  if ((folder.mode & setgid) === 0) {
    const why =
      'new folders do not keep its setgid bit, since this user may not set it (RestrictSUIDSGID= of systemd?)';
    obstacles.push(`storeDir: ${why}. Set UMask=0027 in the unit, so that new folders have dirMode without a chmod`);
  }
  if (file.gid !== gid) {
    const reserved = path.join(storeDir, reservedFolder);
    const commands = `chgrp -R ${gid} ${reserved} && find ${reserved} -type d -exec chmod g+s {} +`;
    obstacles.push(`storeDir: new uploads get group ${file.gid}, but storeDir has group ${gid}. Run: ${commands}`);
  }
  return obstacles;
}
