import { randomUUID } from 'node:crypto';
import { link, mkdir, realpath, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { FilerError, messageOf, systemErrorCode } from '../errors.js';
import { reservedFolder } from '../upload/upload-key.js';
import { disk } from './disk-calls.js';
import { DiskStore, type DiskStoreOptions } from './disk-store.js';
import type { Store } from './store.js';

function unusable(expected: string, found: string, cause?: unknown): FilerError {
  return new FilerError('STORE_UNUSABLE', `storeDir: expected ${expected}, ${found}`, { cause });
}

/** Tries what each upload will need: a new file, and a hard link to it. */
async function requireHardLinks(folder: string): Promise<void> {
  const file = path.join(folder, `probe-${randomUUID()}`);
  const linked = `${file}-linked`;
  const fd = await disk.open(file, 'wx', 0o600);
  await disk.close(fd);
  try {
    await link(file, linked);
    await unlink(linked);
  } catch (error) {
    throw unusable('a filesystem with hard links', `linking a file in ${folder} failed: ${messageOf(error)}`, error);
  } finally {
    await unlink(file);
  }
}

async function prepareFolder(storeDir: string, dirMode = 0o755): Promise<string> {
  try {
    await mkdir(storeDir, { recursive: true, mode: dirMode });
    const real = await realpath(storeDir);
    const reserved = path.join(real, reservedFolder);
    await mkdir(reserved, { recursive: true, mode: 0o700 });
    await requireHardLinks(reserved);
    return real;
  } catch (error) {
    if (error instanceof FilerError) throw error;
    const isFile = systemErrorCode(error) === 'EEXIST' && !(await stat(storeDir)).isDirectory();
    const found = isFile ? `${storeDir} is a file` : messageOf(error);
    throw unusable('a folder that this user may write to', found, error);
  }
}

/**
 * Opens the configured store, making its folder where there is none, and removes what dead processes left in it.
 * `stallTimeoutMs` is how long an upload may make no progress; the warnings are for the operator.
 * Throws `STORE_UNUSABLE` with the key, what was found and what is expected.
 */
export async function openStore(
  options: DiskStoreOptions & { readonly stallTimeoutMs: number },
): Promise<{ store: Store; warnings: string[] }> {
  const storeDir = await prepareFolder(options.storeDir, options.dirMode);
  const store = new DiskStore({ ...options, storeDir });
  return { store, warnings: await store.removeLeftOvers(2 * options.stallTimeoutMs) };
}

/**
 * The configured store for looking at what is in it: makes, removes and tries nothing.
 * Throws `STORE_UNUSABLE` where there is none.
 */
export async function readStore(options: DiskStoreOptions): Promise<Pick<Store, 'list'>> {
  try {
    return new DiskStore({ ...options, storeDir: await realpath(options.storeDir) });
  } catch (error) {
    throw unusable('a folder with uploads', messageOf(error), error);
  }
}
