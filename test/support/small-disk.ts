import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from './command.js';
import { type Teardown, tempDir } from './temp-dir.js';

/** The resource that a small disk runs out of. */
export type Shortage = 'space' | 'inodes' | 'quota';

/** A small filesystem. */
export interface SmallDisk {
  /** A new folder in it. */
  readonly storeDir: string;
  /** Writes files beside storeDir until nothing more can be made. */
  fill(): Promise<void>;
}

const commands: Record<Shortage, (disk: string, mountPoint: string) => readonly (readonly [string, ...string[]])[]> = {
  space: (disk, mountPoint) => [
    ['truncate', '--size=16M', disk],
    ['mkfs.ext4', '-q', '-m', '0', disk],
    ['mount', '-o', 'loop', disk, mountPoint],
    ['mkdir', `${mountPoint}/limited`],
  ],
  inodes: (_disk, mountPoint) => [
    ['mount', '-t', 'tmpfs', '-o', 'size=8m,nr_inodes=100', 'tmpfs', mountPoint],
    ['mkdir', `${mountPoint}/limited`],
  ],
  quota: (disk, mountPoint) => [
    ['truncate', '--size=256M', disk],
    ['mkfs.btrfs', '--quiet', disk],
    ['mount', '-o', 'loop', disk, mountPoint],
    ['btrfs', 'quota', 'enable', mountPoint],
    ['btrfs', 'subvolume', 'create', `${mountPoint}/limited`],
    ['btrfs', 'qgroup', 'limit', '8M', `${mountPoint}/limited`],
  ],
};

/** Writes files of a size until one fails; the number of the next one. */
async function writeUntilFull(folder: string, size: number, first: number): Promise<number> {
  for (let index = first; ; index += 1) {
    assert.ok(index < first + 10_000, 'the disk does not become full');
    try {
      await writeFile(path.join(folder, String(index)), Buffer.alloc(size));
    } catch {
      return index + 1;
    }
  }
}

/** Mounts a filesystem that soon runs out of this; hooks of `t` from before run before it is unmounted. */
export async function mountSmallDisk(t: Teardown, shortage: Shortage): Promise<SmallDisk> {
  let mountPoint = '';
  t.after(async () => {
    await run('umount', ['--lazy', mountPoint]);
  });
  const folder = await tempDir(t);
  mountPoint = path.join(folder, 'mount');
  await mkdir(mountPoint);
  for (const [command, ...args] of commands[shortage](`${folder}/disk`, mountPoint)) {
    const { code, stderr } = await run(command, args);
    assert.equal(code, 0, stderr);
  }
  const limited = path.join(mountPoint, 'limited');
  const storeDir = path.join(limited, 'upload');
  const filler = path.join(limited, 'filler');
  await mkdir(storeDir);
  await mkdir(filler);
  let next = 0;
  return {
    storeDir,
    fill: async () => {
      for (const size of [1_000_000, 4096, 1, 0]) {
        if (shortage === 'space' && size < 4096) break;
        next = await writeUntilFull(filler, size, next);
      }
    },
  };
}
