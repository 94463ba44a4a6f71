import { stat } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { type MakeSite, soak } from './soak.js';
import { Troubles } from './troubles.js';

/** A sidecar sets the time of its upload back to an even second, and further if another one has that name. */
const grainMs = 4000;

/** All files, while a sweep may remove folders. */
async function list(storeDir: string): Promise<string[]> {
  let files: string[] | undefined;
  await eventually(async () => {
    files = await filesIn(storeDir).catch(() => undefined);
    return files !== undefined;
  });
  return files ?? [];
}

const folder: MakeSite = async (t) => {
  const storeDir = await tempDir(t);
  const isUpload = (name: string) => !name.startsWith('.prosody-filer/');
  const sizeOf = (name: string) =>
    stat(path.join(storeDir, name)).then(
      ({ size }) => [[name, size] as const],
      // It has expired meanwhile.
      () => [],
    );
  return {
    settings: { storeDir, durability: 'none' },
    grainMs,
    troubles: new Troubles(),
    isFlapping: false,
    flap: async () => undefined,
    uploads: async () => new Map((await Promise.all((await list(storeDir)).filter(isUpload).map(sizeOf))).flat()),
    leftOvers: async () => (await list(storeDir)).filter((name) => name.startsWith('.prosody-filer/temporary/')),
    maxIdleFiles: 64,
  };
};

it('a night of use with a folder: what was answered 201 is served whole until it may go, and nothing else is', (t) =>
  soak(t, folder));
