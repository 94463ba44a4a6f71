import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import type { SystemUser } from '../../service/system-user.js';
import type { Ownership } from '../../storage/open-store.js';
import { isReserved } from '../../upload/upload-key.js';
import type { Problem } from '../finding.js';
import type { ExistingFolder } from './check-folder.js';
import { describeOwnership, may } from './nginx-user.js';

/** How many files and folders are looked at. */
const maxEntries = 1000;

/** A file or folder of uploads. */
interface Entry extends Ownership {
  readonly name: string;
  readonly isFolder: boolean;
}

/** The files and folders of uploads, each folder before what is in it. */
async function* entriesIn(folder: string, isTop = true): AsyncGenerator<Entry> {
  for await (const entry of await opendir(folder)) {
    const isFolder = entry.isDirectory();
    if ((!isFolder && !entry.isFile()) || (isTop && isReserved(entry.name))) continue;
    const name = path.join(folder, entry.name);
    const { uid, gid, mode } = await lstat(name);
    yield { name, isFolder, uid, gid, mode };
    if (isFolder) yield* entriesIn(name, false);
  }
}

async function findClosedEntry(user: SystemUser, storeDir: string): Promise<Entry | undefined> {
  let count = 0;
  try {
    for await (const entry of entriesIn(storeDir)) {
      if (!may(entry.isFolder ? 'enter' : 'read', user, entry)) return entry;
      if (++count === maxEntries) return undefined;
    }
  } catch (error) {
    // An entry is gone by now, or closed to this user too.
    if (systemErrorCode(error) === undefined) throw error;
  }
  return undefined;
}

/** Why nginx cannot read some of what is stored in storeDir, which nginx may enter. */
export async function findOldUpload(user: SystemUser, storeDir: ExistingFolder): Promise<Problem | undefined> {
  const entry = await findClosedEntry(user, storeDir.folder);
  if (entry === undefined) return undefined;
  const commands = user.gids.includes(storeDir.gid)
    ? `-exec chgrp ${storeDir.gid} {} + -exec chmod g+rX {} +`
    : '-exec chmod o+rX {} +';
  return {
    found: `nginx (user ${user.name}) may not read older uploads, such as ${entry.name}: ${describeOwnership(entry)}.`,
    change: `Run: find ${storeDir.folder} -name .prosody-filer -prune -o ${commands}`,
  };
}
