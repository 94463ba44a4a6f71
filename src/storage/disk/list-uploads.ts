/*
 * A walk over storeDir. It keeps one open folder for each level in memory, and a batch of uploads. It follows no symbolic
 * link, and passes over everything that is no upload: the reserved folder, links, sockets and the like. It also passes over
 * entries that cannot be read, or have a name that no upload can have, and reports them: nobody can fetch them, and they
 * never expire.
 */
import type { Dir, Dirent } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import { inBatches } from '../../in-batches.js';
import { isReserved, keyBelow, type UploadKey } from '../../upload/upload-key.js';
import type { UploaderFilter } from '../../upload/uploader.js';
import type { ListedUpload, ReportUnreadable } from '../store.js';
import { disk, findStats } from './disk-calls.js';
import { readFacts } from './open-upload.js';
import { isGone, passOver } from './pass-over.js';
import type { SidecarFolder } from './sidecar.js';

/** So many files or slots are looked at in parallel: that is faster, and the memory is bounded. */
const batchSize = 32;

/** The folder of fsck at the top of each ext filesystem. Only root may read it. */
const rescueFolder = 'lost+found';

/** The character that Node puts in place of bytes that are not UTF-8. */
const replacement = '\ufffd';

/** What a walk works with. */
export interface Walk {
  readonly storeDir: string;
  readonly sidecars: SidecarFolder;
  readonly report: ReportUnreadable;
  readonly signal?: AbortSignal | undefined;
}

/** Reports the file or folder of a key, for which a call threw this error. */
function passOverKey({ storeDir, report }: Walk, key: UploadKey | undefined, error: unknown): void {
  if (key === rescueFolder && systemErrorCode(error) === 'EACCES') return;
  const file = path.join(storeDir, key ?? '');
  if (isGone(error) && file.includes(replacement)) report({ path: file, reason: 'its name is not UTF-8' });
  else passOver(file, error, report);
}

/** The key of an entry; `undefined` if no upload can have its name. */
function keyOfEntry({ storeDir, report }: Walk, parent: UploadKey | undefined, name: string): UploadKey | undefined {
  const key = keyBelow(parent, name);
  if (key !== undefined || (parent === undefined && isReserved(name))) return key;
  // The name may contain control characters, which must not reach a terminal.
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

/** The uploads of an entry, or the key of a folder that has to be walked. */
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
  // Nearly every slot's folder has a few files only: these are looked at right here.
  if (names.length > batchSize || names.some((name) => name.isDirectory())) return key;
  const keys = names.filter((name) => name.isFile()).flatMap(({ name }) => keyOfEntry(walk, key, name) ?? []);
  const uploads = await Promise.all(keys.map((own) => describeFile(walk, own)));
  return uploads.filter((upload) => upload !== undefined);
}

async function* listFolder(walk: Walk, folder: Dir, parent: UploadKey | undefined): AsyncGenerator<ListedUpload> {
  for await (const batch of inBatches(folder, batchSize)) {
    if (walk.signal?.aborted === true) return;
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

/** Lists the uploads in the folder of a key, or in storeDir. Throws the system's error if storeDir cannot be opened. */
export async function* listUploads(walk: Walk, parent?: UploadKey): AsyncGenerator<ListedUpload> {
  const folder = await openFolder(walk, parent);
  if (folder === undefined) return;
  try {
    yield* listFolder(walk, folder, parent);
  } catch (error) {
    passOverKey(walk, parent, error);
  }
}

/** The uploads whose keys begin with this folder. */
async function* listUploadsIn(walk: Walk, folder: UploadKey): AsyncGenerator<ListedUpload> {
  // A link is not followed.
  if ((await findStats(path.join(walk.storeDir, folder)))?.isDirectory() === true) yield* listUploads(walk, folder);
}

/**
 * Lists the uploads of one uploader: those below the uploader's folders, and those of which only a sidecar names
 * the uploader. Throws the system's errors if storeDir cannot be read.
 */
export async function* listUploadsOf(of: UploaderFilter, walk: Walk): AsyncGenerator<ListedUpload> {
  for (const folder of of.folders) {
    const key = keyBelow(undefined, folder);
    if (key === undefined) continue;
    for await (const upload of listUploadsIn(walk, key)) {
      const isNamed = walk.sidecars.factsWithout(upload.key).uploader !== undefined;
      if (isNamed && of.includes(upload.uploader)) yield upload;
    }
  }
  for await (const key of walk.sidecars.keysOf(of, walk.report, walk.signal)) {
    const upload = await describeFile(walk, key);
    if (upload !== undefined) yield upload;
  }
}
