import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { get, put } from '../support/uploading.js';

const old = new Date(Date.now() - 2 * 60 * 60 * 1000);

async function folderOfOldUploads(t: TestContext, count: number): Promise<string> {
  const storeDir = await tempDir(t);
  for (let index = 0; index < count; index += 1) {
    const file = path.join(storeDir, `slot${index}`, 'f.txt');
    await mkdir(path.dirname(file));
    await writeFile(file, 'hello');
    await utimes(file, old, old);
  }
  return storeDir;
}

describe('the sweep of a running server', () => {
  it('killed at any point leaves whole files or none; the next one completes it, and slots stay taken', async (t) => {
    const count = 3000;
    const storeDir = await folderOfOldUploads(t, count);
    const settings = { storeDir, expiresAfter: '1h' };
    for (const deletions of [1, 200, 700]) {
      const program = await startProgram(t, settings);
      let deleted = 0;
      await program.waitForLog(({ msg }) => msg === 'deleted' && ++deleted === deletions);
      await program.stop('SIGKILL');
      const left = (await filesIn(storeDir)).filter((name) => name.startsWith('slot'));
      assert.ok(left.length > 0 && left.length < count, `${left.length} files are left`);
    }
    const program = await startProgram(t, settings);
    await program.waitForLog(({ msg }) => msg === 'swept');
    // If the file was deleted just before the kill, its empty folder stays.
    const left = (await readdir(storeDir)).filter((name) => name.startsWith('slot'));
    assert.ok(left.length <= 3, left.join());
    for (let index = 0; index < count; index += 100) {
      assert.equal((await put(program, `slot${index}/f.txt`, Buffer.from('again'))).status, 409);
      assert.equal((await get(program, `slot${index}/f.txt`)).status, 410);
    }
    assert.equal((await put(program, 'slot0/g.txt', Buffer.from('new'))).status, 201);
  });

  it('does not disturb uploads into folders that it empties', async (t) => {
    const storeDir = await folderOfOldUploads(t, 2000);
    const program = await startProgram(t, { storeDir, expiresAfter: '1h' });
    let statuses: number[] = [];
    for (let index = 0; index < 2000; index += 50) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, offset) => put(program, `slot${index + offset}/new.txt`, Buffer.from('new'))),
      );
      statuses = [...statuses, ...answers.map(({ status }) => status)];
    }
    await program.waitForLog(({ msg }) => msg === 'swept');
    assert.deepEqual([...new Set(statuses)], [201]);
    const left = (await filesIn(storeDir)).filter((name) => name.startsWith('slot'));
    assert.equal(left.length, 2000);
    assert.ok(left.every((name) => name.endsWith('/new.txt')));
  });

  it('runs once for several workers', async (t) => {
    const storeDir = await folderOfOldUploads(t, 20);
    const program = await startProgram(t, { storeDir, expiresAfter: '1h', workers: 2 });
    await program.waitForLog(({ msg }) => msg === 'swept');
    assert.equal(program.logLines().filter(({ msg }) => msg === 'deleted').length, 20);
    assert.equal(program.logLines().filter(({ msg }) => msg === 'swept').length, 1);
  });
});
