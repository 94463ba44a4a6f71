import assert from 'node:assert/strict';
import { mkdir, mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { run } from './command.js';
import { missingPeer } from './peers.js';
import { type Teardown, tempDir } from './temp-dir.js';

/** Why no exFAT can be mounted here. */
export const missingExfat =
  process.getuid?.() === 0 ? missingPeer('mount.exfat-fuse', 'mkfs.exfat', 'losetup') : 'needs root';

async function runChecked(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Mounts a new exFAT, which has no hard links and refuses some names; returns a function that makes folders in it. */
export async function mountExfat(t: Teardown): Promise<() => Promise<string>> {
  let mountPoint = '';
  t.after(async () => {
    await run('umount', ['--lazy', mountPoint]);
  });
  const folder = await tempDir(t);
  const image = path.join(folder, 'image');
  mountPoint = path.join(folder, 'mount');
  await mkdir(mountPoint);
  await runChecked('truncate', ['--size=64M', image]);
  await runChecked('mkfs.exfat', [image]);
  const device = await runChecked('losetup', ['--find', '--show', image]);
  await runChecked('mount.exfat-fuse', [device, mountPoint]);
  // The device goes with the mount.
  await runChecked('losetup', ['--detach', device]);
  return () => mkdtemp(path.join(mountPoint, 'store-'));
}
