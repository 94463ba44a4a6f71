import { lstat, stat } from 'node:fs/promises';
import path from 'node:path';
import { reservedFolder } from '../../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { ensureFolders } from './folders.js';
import { inNewFolder } from './in-new-folder.js';
import { newFileMode, temporaryFolder } from './temporary-folder.js';

const setgid = 0o2000;

/** How uploads are made. */
interface Modes {
  readonly fileMode?: number | undefined;
  readonly dirMode?: number | undefined;
}

/** Whom something belongs to, and who may use it. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** What an upload and the folder that it lies in would get. */
export interface MadeOwnership {
  readonly folder: Ownership;
  readonly file: Ownership;
}

/**
 * Makes folders and a file as an upload would, looks at them, and removes them. Uploads are linked from the temporary
 * folder, so a file's group depends on that one, a folder's on storeDir.
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

/** What keeps uploads from getting the group of a storeDir with the setgid bit, and what to do, a line each. */
export async function findGroupObstacles(storeDir: string, modes: Modes): Promise<string[]> {
  const { mode, gid } = await stat(storeDir);
  if ((mode & setgid) === 0) return [];
  const { folder, file } = await probeModes(storeDir, modes);
  const obstacles: string[] = [];
  if ((folder.mode & setgid) === 0) {
    const why = 'new folders lose its setgid bit, which this user may not set (RestrictSUIDSGID= of systemd?)';
    obstacles.push(`storeDir: ${why}: set UMask=0027 in the unit, so that they have dirMode from the beginning`);
  }
  if (file.gid !== gid) {
    const reserved = path.join(storeDir, reservedFolder);
    const commands = `chgrp -R ${gid} ${reserved} && find ${reserved} -type d -exec chmod g+s {} +`;
    obstacles.push(`storeDir: new uploads get group ${file.gid} in place of its group ${gid}: ${commands}`);
  }
  return obstacles;
}
