/*
 * A walk over storeDir that holds one open folder for each level and nothing else. It follows no symbolic link, and what
 * cannot be an upload is passed over: the reserved folder, names that no key may have, sockets and the like, and folders
 * that this user may not read (lost+found of a filesystem of its own), since nothing in them can be served either.
 */
import type { Dir } from 'node:fs';
import { opendir } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { keyBelow, type UploadKey } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { readFacts } from './open-upload.js';
import type { SidecarFolder } from './sidecar.js';
import type { ListedUpload } from './store.js';

const passedOver = new Set(['ENOENT', 'ENOTDIR', 'EACCES']);

async function openFolder(storeDir: string, key: UploadKey | undefined): Promise<Dir | undefined> {
  if (key === undefined) return opendir(storeDir);
  try {
    return await opendir(path.join(storeDir, key));
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

/** The uploads in the folder of a key, in storeDir itself for none; throws the system's errors. */
export async function* listUploads(
  storeDir: string,
  sidecars: SidecarFolder,
  parent?: UploadKey,
): AsyncGenerator<ListedUpload> {
  const folder = await openFolder(storeDir, parent);
  if (folder === undefined) return;
  for await (const entry of folder) {
    const key = keyBelow(parent, entry.name);
    if (key === undefined) continue;
    if (entry.isDirectory()) yield* listUploads(storeDir, sidecars, key);
    const upload = entry.isFile() ? await describeFile(storeDir, key, sidecars) : undefined;
    if (upload !== undefined) yield upload;
  }
}
