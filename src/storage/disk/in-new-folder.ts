import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { isGone } from './pass-over.js';

/** Calls with a new folder in this one, or in the nearest existing folder above it, and removes the new folder. */
export async function inNewFolder<T>(parent: string, call: (folder: string) => Promise<T>): Promise<T> {
  let folder: string;
  try {
    folder = await mkdtemp(path.join(parent, 'prosody-filer-check-'));
  } catch (error) {
    if (!isGone(error) || parent === path.dirname(parent)) throw error;
    return inNewFolder(path.dirname(parent), call);
  }
  try {
    return await call(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
