/*
 * A walk over storeDir that holds an open folder for each level and a batch of uploads. It follows no symbolic link, and
 * passes over what cannot be an upload: the reserved folder, links, sockets and the like. What cannot be read, or has a
 * name that no upload can have, is passed over too, but reported: nobody can fetch it, and it never expires.
 */
import type { Dir, Dirent } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import { isReserved, keyBelow, type UploadKey } from '../../upload/upload-key.js';
import { inBatches } from '../in-batches.js';
import type { ListedUpload, ReportUnreadable } from '../store.js';
import { disk } from './disk-calls.js';
import { readFacts } from './open-upload.js';
import { isGone, passOver } from './pass-over.js';
import type { SidecarFolder } from './sidecar.js';

/** So many files or slots are looked at together: the disk answers sooner, and the memory is bounded. */
const batchSize = 32;

/** The folder of fsck at the top of each ext filesystem, which only root may read. */
const rescueFolder = 'lost+found';

/** What a name has in place of bytes that are not UTF-8. */
const replacement = '\ufffd';

/** Where a walk goes, and to whom it reports. */
export interface Walk {
  readonly storeDir: string;
  readonly sidecars: SidecarFolder;
  readonly report: ReportUnreadable;
}

/** Reports what a call threw for the file or folder of a key. */
function passOverKey({ storeDir, report }: Walk, key: UploadKey | undefined, error: unknown): void {
  if (key === rescueFolder && systemErrorCode(error) === 'EACCES') return;
  const file = path.join(storeDir, key ?? '');
  if (isGone(error) && file.includes(replacement)) report({ path: file, reason: 'its name is not UTF-8' });
  else passOver(file, error, report);
}

/** The key of an entry; `undefined` for what no upload can be called. */
function keyOfEntry({ storeDir, report }: Walk, parent: UploadKey | undefined, name: string): UploadKey | undefined {
  const key = keyBelow(parent, name);
  if (key !== undefined || (parent === undefined && isReserved(name))) return key;
  // Such a name may hold control characters, which must not reach a terminal.
  const shown = JSON.stringify(name).slice(1, -1);
  report({ path: path.join(storeDir, parent ?? '', shown), reason: 'no upload can have this name' });
  return undefined;
}

async function openFolder(walk: Walk, key: UploadKey | undefined): Promise<Dir | undefined> {
  if (key === undefined) return opendir(walk.storeDir, { bufferSize: batchSize });
  try {
    return await opendir(path.join(walk.storeDir, key), { bufferSize: batchSize });
  } catch (error) {
    passOverKey(walk, key, error);
    return undefined;
  }
}

async function describeFile(walk: Walk, key: UploadKey): Promise<ListedUpload | undefined> {
  try {
    const stats = await disk.lstat(path.join(walk.storeDir, key));
    return stats.isFile()
      ? { key, ...(await readFacts(key, stats, walk.sidecars, walk.report)), isComplete: true }
      : undefined;
  } catch (error) {
    passOverKey(walk, key, error);
    return undefined;
  }
}

/** The uploads of an entry, or the key of a folder that is better walked by itself. */
async function listEntry(walk: Walk, key: UploadKey, entry: Dirent): Promise<ListedUpload[] | UploadKey> {
  if (entry.isFile()) {
    const upload = await describeFile(walk, key);
    return upload === undefined ? [] : [upload];
  }
  if (!entry.isDirectory()) return [];
  const names = await readdir(path.join(walk.storeDir, key), { withFileTypes: true }).catch((error: unknown) => {
    passOverKey(walk, key, error);
    return [];
  });
  // Nearly every slot's folder: a few files and nothing else.
  if (names.length > batchSize || names.some((name) => name.isDirectory())) return key;
  const keys = names.filter((name) => name.isFile()).flatMap(({ name }) => keyOfEntry(walk, key, name) ?? []);
  const uploads = await Promise.all(keys.map((own) => describeFile(walk, own)));
  return uploads.filter((upload) => upload !== undefined);
}

async function* listFolder(walk: Walk, folder: Dir, parent: UploadKey | undefined): AsyncGenerator<ListedUpload> {
  for await (const batch of inBatches(folder, batchSize)) {
    const known = batch.flatMap((entry) => {
      const key = keyOfEntry(walk, parent, entry.name);
      return key === undefined ? [] : [{ key, entry }];
    });
    for (const found of await Promise.all(known.map(({ key, entry }) => listEntry(walk, key, entry)))) {
      if (typeof found === 'string') yield* listUploads(walk, found);
      else yield* found;
    }
  }
}

/** The uploads in the folder of a key, in storeDir itself for none; throws the system's error where storeDir does not open. */
export async function* listUploads(walk: Walk, parent?: UploadKey): AsyncGenerator<ListedUpload> {
  const folder = await openFolder(walk, parent);
  if (folder === undefined) return;
  try {
    yield* listFolder(walk, folder, parent);
  } catch (error) {
    passOverKey(walk, parent, error);
  }
}
