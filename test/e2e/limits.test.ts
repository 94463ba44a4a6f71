import assert from 'node:assert/strict';
import { readdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { type Program, startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { bearer, deleteToken, secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';

const size = 10_000;

async function storedBytes({ storeDir }: Pick<Program, 'storeDir'>): Promise<number> {
  const uploads = (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
  const sizes = await Promise.all(uploads.map(async (name) => (await stat(path.join(storeDir, name))).size));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

function count(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

for (const workers of [1, 2]) {
  describe(`limits of the whole store, with ${workers} worker(s)`, () => {
    it('hold under 100 parallel uploads, and accept the last one that fits', async (t) => {
      const program = await startProgram(t, { workers, maxStoreSize: '305KB' });
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) => put(program, `s${index}/f`, Buffer.alloc(size))),
      );
      assert.deepEqual(count(results.map(({ status }) => status)), { 201: 30, 507: 70 });
      assert.equal(await storedBytes(program), 300_000);
      const { reason } = await program.waitForLog(({ status }) => status === 507);
      assert.match(String(reason), /^10000 bytes are 5000 more than maxStoreSize/);
    });

    it('make room by eviction under 100 parallel uploads, and never exceed the limit', async (t) => {
      const storeDir = await tempDir(t);
      const first = await startProgram(t, { storeDir });
      for (let index = 0; index < 60; index += 1) await put(first, `old${index}/f`, Buffer.alloc(size));
      const names = await filesIn(storeDir);
      const then = Date.now() / 1000 - 2 * 24 * 60 * 60;
      for (const [index, name] of names.entries()) await utimes(path.join(storeDir, name), then + index, then + index);
      await first.stop();

      const program = await startProgram(t, { workers, storeDir, maxStoreSize: '605KB', whenFull: 'evict' });
      let most = 0;
      let isDone = false;
      const watch = async () => {
        while (!isDone) most = Math.max(most, await storedBytes(program).catch(() => 0));
      };
      const watching = watch();
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) => put(program, `new${index}/f`, Buffer.alloc(size))),
      ).finally(() => {
        isDone = true;
      });
      await watching;
      assert.deepEqual(count(results.map(({ status }) => status)), { 201: 60, 507: 40 });
      assert.ok(most <= 605_000, `${most} bytes were stored at once`);
      const uploads = (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
      assert.deepEqual([uploads.length, uploads.filter((name) => name.startsWith('old'))], [60, []]);
      assert.equal((await get(program, 'old0/f')).status, 410);
    });

    it('no longer count an upload that broke off', async (t) => {
      const program = await startProgram(t, { workers, maxStoreSize: '15KB' });
      const broken = await beginPut(t, program, 's/broken', size, 'beginning');
      await eventually(async () => (await filesIn(program.storeDir)).length === 1);
      assert.equal((await put(program, 's/f', Buffer.alloc(size))).status, 507);
      broken.socket.destroy();
      await eventually(async () => (await put(program, 's/f', Buffer.alloc(size))).status === 201);
    });
  });

  describe(`a slot, with ${workers} worker(s)`, () => {
    it('has one upload at a time, so that it cannot use up maxUploads', async (t) => {
      const program = await startProgram(t, { workers, maxUploads: 20 });
      const first = await beginPut(t, program, 's/f', size, 'beginning');
      await eventually(async () => (await filesIn(program.storeDir)).length === 1);
      const others = await Promise.all(Array.from({ length: 100 }, () => beginPut(t, program, 's/f', size, 'x')));
      for (const other of others) assert.match(await other.waitFor(/\r\n\r\n/), /^HTTP\/1\.1 409 /);
      assert.equal((await put(program, 'other/f', Buffer.alloc(size))).status, 201);
      assert.equal((await filesIn(program.storeDir)).length, 2);
      first.socket.destroy();
      await eventually(async () => (await put(program, 's/f', Buffer.alloc(size))).status === 201);
    });

    it('makes room at once for another one when it is deleted', async (t) => {
      const program = await startProgram(t, { workers, secret, maxStoreSize: '15KB', deleteSecret: 'd' });
      assert.equal((await put(program, 's/f', Buffer.alloc(size))).status, 201);
      assert.equal((await put(program, 't/f', Buffer.alloc(size))).status, 507);
      const url = `${program.uploadUrl}s/f?token=${deleteToken('s/f', 'd')}`;
      assert.equal((await send(url, { method: 'DELETE' })).status, 204);
      await eventually(async () => (await put(program, 't/f', Buffer.alloc(size))).status === 201);
    });

    it('evicts others as its bytes arrive', async (t) => {
      const settings = { workers, maxStoreSize: '205KB', whenFull: 'evict', evictMinAge: '1ms', sweepInterval: '1s' };
      const program = await startProgram(t, settings);
      const names = async () => (await readdir(program.storeDir)).filter((name) => name.startsWith('old'));
      for (let index = 0; index < 20; index += 1) await put(program, `old${index}/f`, Buffer.alloc(size));
      await program.waitForLog(({ msg, files }) => msg === 'swept' && files === 20);
      const connection = await beginPut(t, program, 'new/f', 10 * size, Buffer.alloc(size));
      await eventually(async () => (await names()).length === 19);
      connection.socket.write(Buffer.alloc(4 * size));
      await eventually(async () => (await names()).length === 15);
      connection.socket.write(Buffer.alloc(5 * size));
      await connection.waitFor(/201 Created/);
      assert.equal((await names()).length, 10);
    });
  });

  describe(`quotas of an uploader, with ${workers} worker(s)`, () => {
    const putAs = ({ origin, secret: key }: Program, sub: string, slot: string) => {
      const claims = { slot, filename: 'f', filesize: size, sub, exp: Date.now() / 1000 + 60 };
      const headers = { authorization: bearer(claims, { key }) };
      return send(`${origin}/upload/${slot}/f`, { method: 'PUT', headers, body: Buffer.alloc(size) });
    };

    it('hold under 100 parallel uploads of one, and do not affect others', async (t) => {
      const program = await startProgram(t, { workers, userQuota: '205KB' });
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) => putAs(program, 'romeo@example.org', `s${index}`)),
      );
      assert.deepEqual(count(results.map(({ status }) => status)), { 201: 20, 413: 80 });
      assert.equal((await putAs(program, 'juliet@example.org', 'other')).status, 201);
      const { reason } = await program.waitForLog(({ status }) => status === 413);
      assert.match(String(reason), /are stored for romeo@example\.org, 10000 more would exceed userQuota, 205000/);
    });

    it('of a day say when to retry, also after a restart', async (t) => {
      const storeDir = await tempDir(t);
      const settings = { workers, storeDir, dailyQuota: '15KB', secret: 's3cret' };
      const first = await startProgram(t, settings);
      assert.equal((await putAs(first, 'romeo@example.org', 'a')).status, 201);
      await first.stop();
      const program = await startProgram(t, settings);
      const refused = await putAs(program, 'romeo@example.org', 'b');
      assert.equal(refused.status, 413);
      const seconds = Number(refused.headers['retry-after']);
      assert.ok(seconds > 22 * 3600 && seconds <= 24 * 3600, `Retry-After: ${seconds}`);
    });
  });
}

describe('a worker that dies', () => {
  it('leaves the slots of its uploads free', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    await beginPut(t, program, 's/f', size, 'beginning');
    await eventually(async () => (await filesIn(program.storeDir)).length === 1);
    assert.equal((await put(program, 's/f', Buffer.alloc(size))).status, 409);
    // Each process has its temporary files in a folder that ends with its pid and start time.
    const pid = /~(\d+)~\d+\//.exec((await filesIn(program.storeDir))[0] ?? '')?.[1];
    process.kill(Number(pid), 'SIGKILL');
    await program.waitForLog(({ msg }) => msg === 'a worker ended unexpectedly, starting another');
    assert.equal((await put(program, 's/f', Buffer.alloc(size))).status, 201);
  });
});
