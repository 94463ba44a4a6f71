import assert from 'node:assert/strict';
import { mkdir, readdir, readlink, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { openStore } from '../../src/storage/open-store.js';
import { key, readBack } from '../support/store-contract.js';
import { tempDir } from '../support/temp-dir.js';

const slot = key('slot/f.png');

/** A store that has just sent an upload twice, so that its file is still open. */
async function openWithRecent(t: TestContext, text = 'first') {
  const storeDir = await tempDir(t);
  const { store } = await openStore({ storeDir, isDurable: false, stallTimeoutMs: 60_000 });
  const file = path.join(storeDir, slot);
  await mkdir(path.dirname(file));
  await writeFile(file, text);
  assert.equal((await readBack(store, slot)).toString(), text);
  assert.equal(await countOpenFiles(storeDir), 0, 'a file that was asked for once');
  assert.equal((await readBack(store, slot)).toString(), text);
  assert.equal(await countOpenFiles(storeDir), 1, 'a file that was asked for again');
  return { store, storeDir, file };
}

/** How many descriptors of this process are files below a folder. */
async function countOpenFiles(folder: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''));
  return (await Promise.all(paths)).filter((file) => file.startsWith(folder)).length;
}

describe('a file that is asked for again within a second', () => {
  it('is opened once for several downloads', async (t) => {
    const { store, storeDir, file } = await openWithRecent(t);
    await Promise.all(Array.from({ length: 20 }, () => readBack(store, slot)));
    assert.equal(await countOpenFiles(storeDir), 1);
    const [one, other] = [await store.open(slot), await store.open(slot)];
    one?.close();
    await rm(file);
    assert.equal((await store.open(slot))?.size, undefined);
    assert.equal(await countOpenFiles(storeDir), 1);
    other?.close();
    assert.equal(await countOpenFiles(storeDir), 0);
  });

  it('is not served once it is deleted, by the store or by others', async (t) => {
    const { store, storeDir, file } = await openWithRecent(t);
    await store.delete(slot);
    assert.equal(await countOpenFiles(storeDir), 0);
    assert.equal(await store.open(slot), undefined);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, 'second');
    assert.equal((await readBack(store, slot)).toString(), 'second');
    await rm(file);
    assert.equal(await store.open(slot), undefined);
  });

  it('is not served once it is moved, or its folder, even if a symbolic link leads to it', async (t) => {
    const { store, storeDir, file } = await openWithRecent(t);
    await rename(file, `${file}.moved`);
    assert.equal(await store.open(slot), undefined);
    await rename(`${file}.moved`, file);
    assert.equal((await readBack(store, slot)).toString(), 'first');
    await rename(path.dirname(file), path.join(storeDir, 'elsewhere'));
    assert.equal(await store.open(slot), undefined);
    await symlink('elsewhere', path.dirname(file));
    assert.equal(await store.open(slot), undefined);
  });

  it('is read again once it is replaced or changed', async (t) => {
    const { store, file } = await openWithRecent(t);
    await writeFile(`${file}.new`, 'other');
    await rename(`${file}.new`, file);
    assert.equal((await readBack(store, slot)).toString(), 'other');
    await writeFile(file, 'longer than before');
    assert.equal((await readBack(store, slot)).toString(), 'longer than before');
    await writeFile(file, 'equal len. as then');
    await utimes(file, 1, 1);
    const upload = await store.open(slot);
    assert.equal(upload?.modifiedAt, 1000);
    upload?.close();
    assert.equal((await readBack(store, slot)).toString(), 'equal len. as then');
  });

  it('is closed within a second if nobody asks for it again', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { store, storeDir } = await openWithRecent(t);
    t.mock.timers.tick(999);
    assert.equal((await readBack(store, slot)).toString(), 'first');
    assert.equal(await countOpenFiles(storeDir), 1);
    t.mock.timers.tick(1);
    assert.equal(await countOpenFiles(storeDir), 0);
  });

  it('is one of at most 128', async (t) => {
    const { store, storeDir } = await openWithRecent(t);
    for (let index = 0; index < 300; index += 1) {
      const name = `slot/${index}.png`;
      await writeFile(path.join(storeDir, name), String(index));
      for (const _ of [1, 2]) assert.equal((await readBack(store, name)).toString(), String(index));
    }
    const count = await countOpenFiles(storeDir);
    assert.ok(count > 1 && count <= 128, `${count} files are open`);
  });

  it('keeps its first bytes for any part of them', async (t) => {
    const text = 'abcdefgh'.repeat(10_000);
    const { store } = await openWithRecent(t, text);
    const size = text.length;
    for (const [first, last] of [
      [0, 0],
      [3, 9],
      [0, 65_535],
      [65_530, 65_535],
      [65_530, 65_536],
      [70_000, size - 1],
      [0, size - 1],
    ] as const) {
      const part = await readBack(store, slot, { first, last });
      assert.equal(part.toString(), text.slice(first, last + 1), `${first}-${last}`);
    }
  });
});
