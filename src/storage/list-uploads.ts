/*
 * A walk over storeDir that holds an open folder for each level and a batch of uploads. It follows no symbolic link, and what
 * cannot be an upload is passed over: the reserved folder, names that no key may have, sockets and the like, and folders
 * that this user may not read (lost+found of a filesystem of its own), since nothing in them can be served either.
 */
import type { Dir, Dirent } from 'node:fs';
import { opendir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { keyBelow, type UploadKey } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { inBatches } from './in-batches.js';
import { readFacts } from './open-upload.js';
import type { SidecarFolder } from './sidecar.js';
import type { ListedUpload } from './store.js';

/** So many files or slots are looked at together: the disk answers sooner, and the memory is bounded. */
const batchSize = 32;

const passedOver = new Set(['ENOENT', 'ENOTDIR', 'EACCES']);

async function openFolder(storeDir: string, key: UploadKey | undefined): Promise<Dir | undefined> {
  if (key === undefined) return opendir(storeDir, { bufferSize: batchSize });
  try {
    return await opendir(path.join(storeDir, key), { bufferSize: batchSize });
  } catch (error) {
    if (passedOver.has(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

async function describeFile(
  storeDir: string,
  key: UploadKey,
  sidecars: SidecarFolder,
): Promise<ListedUpload | undefined> {
  try {
    const stats = await disk.lstat(path.join(storeDir, key));
    return stats.isFile() ? { key, ...(await readFacts(key, stats, sidecars)) } : undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The uploads of an entry, or the key of a folder that is better walked by itself. */
async function listEntry(
  storeDir: string,
  sidecars: SidecarFolder,
  key: UploadKey,
  entry: Dirent,
): Promise<ListedUpload[] | UploadKey> {
  if (entry.isFile()) {
    const upload = await describeFile(storeDir, key, sidecars);
    return upload === undefined ? [] : [upload];
  }
  if (!entry.isDirectory()) return [];
  const names = await readdir(path.join(storeDir, key), { withFileTypes: true }).catch((error: unknown) => {
    if (passedOver.has(systemErrorCode(error) ?? '')) return [];
    throw error;
  });
  // Nearly every slot's folder: a few files and nothing else.
  if (names.length > batchSize || names.some((name) => name.isDirectory())) return key;
  const keys = names.filter((name) => name.isFile()).flatMap(({ name }) => keyBelow(key, name) ?? []);
  const uploads = await Promise.all(keys.map((own) => describeFile(storeDir, own, sidecars)));
  return uploads.filter((upload) => upload !== undefined);
}

/** The uploads in the folder of a key, in storeDir itself for none; throws the system's errors. */
export async function* listUploads(
  storeDir: string,
  sidecars: SidecarFolder,
  parent?: UploadKey,
): AsyncGenerator<ListedUpload> {
  const folder = await openFolder(storeDir, parent);
  if (folder === undefined) return;
  for await (const batch of inBatches(folder, batchSize)) {
    const known = batch.flatMap((entry) => {
      const key = keyBelow(parent, entry.name);
      return key === undefined ? [] : [{ key, entry }];
    });
    for (const found of await Promise.all(known.map(({ key, entry }) => listEntry(storeDir, sidecars, key, entry)))) {
      if (typeof found === 'string') yield* listUploads(storeDir, sidecars, found);
      else yield* found;
    }
  }
}
