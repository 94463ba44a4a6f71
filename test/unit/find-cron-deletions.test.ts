import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { findCronDeletions } from '../../src/diagnosis/local/find-cron-deletions.js';
import { tempDir } from '../support/temp-dir.js';

/** A root with these files; `STORE` stands for the store's folder. */
async function rootWith(t: TestContext, files: Readonly<Record<string, string>>) {
  const root = await tempDir(t);
  const storeDir = path.join(root, 'srv/upload');
  await mkdir(storeDir, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text.replaceAll('STORE', storeDir));
  }
  const find = async (folder = storeDir) =>
    (await findCronDeletions(folder, root)).map((file) => path.relative(root, file));
  return { root, storeDir, find };
}

const purgeLine = '0 0 * * * find STORE/ -mindepth 1 -type d -mtime +28 | xargs rm -rf\n';

it('finds the purge line of the Go program in each place where cron looks', async (t) => {
  const places = ['etc/crontab', 'etc/cron.d/filer', 'var/spool/cron/root', 'var/spool/cron/crontabs/filer'];
  const { find } = await rootWith(t, Object.fromEntries(places.map((name) => [name, `SHELL=/bin/sh\n${purgeLine}`])));
  assert.deepEqual((await find()).sort(), [...places].sort());
});

it('finds the purge lines that the README of the Go program has had', async (t) => {
  for (const line of [
    '@daily    find STORE/* -maxdepth 0 -type d -mtime +28 | xargs rm -rf\n',
    '@daily    find STORE/ -mindepth 1 -type d -mtime +28 -print0 | xargs -0 -- rm -rf\n',
  ]) {
    const { find } = await rootWith(t, { 'var/spool/cron/crontabs/prosody-filer': line });
    assert.deepEqual(await find(), ['var/spool/cron/crontabs/prosody-filer']);
  }
});

it('finds a script that names the folder on one line and deletes on another', async (t) => {
  const script = '#!/bin/sh\ncd STORE || exit\nfind . -mtime +28 -delete\n';
  const { find } = await rootWith(t, { 'etc/cron.daily/purge': script });
  assert.deepEqual(await find(), ['etc/cron.daily/purge']);
});

it('finds lines that name the target of a symbolic link', async (t) => {
  const { root, storeDir, find } = await rootWith(t, { 'etc/cron.d/filer': purgeLine });
  await symlink(storeDir, path.join(root, 'link'));
  assert.deepEqual(await find(path.join(root, 'link')), ['etc/cron.d/filer']);
});

it('ignores comments, other folders, lines without a deletion, and files that cannot be read', async (t) => {
  const { root, find } = await rootWith(t, {
    'etc/crontab': `# ${purgeLine}0 0 * * * rsync -a STORE/ backup:\n0 1 * * * rm -rf /tmp/x\n`,
    'etc/cron.d/other': purgeLine.replace('STORE', 'STORE-old'),
    'etc/cron.d/large': purgeLine.padEnd(2 ** 21),
  });
  execFileSync('mkfifo', [path.join(root, 'etc/cron.d/pipe')]);
  assert.deepEqual(await find(), []);
});
