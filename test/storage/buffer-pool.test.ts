import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { BufferPool } from '../../src/storage/disk/buffer-pool.js';
import { sendFile } from '../../src/storage/disk/send-file.js';
import { DownloadMemory } from '../../src/storage/download-memory.js';
import { tempDir } from '../support/temp-dir.js';

const noCut = () => assert.fail('cut');

describe('buffers of downloads', () => {
  it('are large for 32 fast clients at a time, and small for slow ones', () => {
    const pool = new BufferPool();
    const large = Array.from({ length: 32 }, () => pool.take(true, noCut));
    assert.ok(large.every(({ buffer }) => buffer.length === 512 * 1024));
    assert.equal(pool.take(true, noCut).buffer.length, 64 * 1024);
    assert.equal(pool.take(false, noCut).buffer.length, 16 * 1024);
    for (let count = 0; count < 255; count += 1) pool.take(true, noCut);
    assert.equal(pool.take(true, noCut).buffer.length, 16 * 1024);
    for (const lease of large) pool.give(lease, true);
    assert.equal(pool.take(true, noCut).buffer, large.at(-1)?.buffer);
  });

  it('are freed after 10 s without a large download', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const pool = new BufferPool();
    const [first, second] = [pool.take(true, noCut), pool.take(true, noCut)];
    pool.give(first, true);
    t.mock.timers.tick(9999);
    pool.give(pool.take(true, noCut), true);
    t.mock.timers.tick(9999);
    assert.equal(first.buffer.length, 512 * 1024);
    t.mock.timers.tick(1);
    assert.equal(first.buffer.length, 0);
    assert.equal(second.buffer.length, 512 * 1024);
    assert.equal(pool.take(true, noCut).buffer.length, 512 * 1024);
  });

  it('take 64 MiB in all, then the download that has waited longest ends', () => {
    const pool = new BufferPool();
    const cuts: number[] = [];
    const takeSmall = (index: number) => {
      const lease = pool.take(false, () => {
        cuts.push(index);
        pool.give(lease, false);
      });
      return lease;
    };
    const leases = Array.from({ length: 4096 }, (_, index) => takeSmall(index));
    const [oldest] = leases;
    if (oldest !== undefined) pool.give(oldest, true);
    takeSmall(4096);
    assert.deepEqual(cuts, []);
    takeSmall(4097);
    takeSmall(4098);
    assert.deepEqual(cuts, [1, 2]);
  });

  it('are taken from the download that has waited longest, which fails with DOWNLOADS_LIMITED', async (t) => {
    const file = path.join(await tempDir(t), 'f');
    await writeFile(file, Buffer.alloc(1_000_000));
    const handle = await open(file);
    t.after(() => handle.close());
    const facts = { size: 1_000_000, contentType: 'image/png', modifiedAt: 0 };
    const recent = { fd: handle.fd, facts, beginning: undefined, users: 1 };
    const pool = new BufferPool(new DownloadMemory(600_000));
    const send = (sink: Writable) => sendFile(recent, sink, { first: 0, last: 999_999 }, pool);
    const stuck = send(new Writable({ write: () => undefined }));
    const cut = assert.rejects(stuck, { code: 'DOWNLOADS_LIMITED' });
    await send(new Writable({ write: (_chunk, _encoding, done) => done() }));
    await cut;
  });
});
