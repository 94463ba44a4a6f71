import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { eventually } from '../../support/eventually.js';
import { send } from '../../support/http-client.js';
import { missingPeer } from '../../support/peers.js';
import type { Program } from '../../support/program.js';
import { startOnBucket } from '../../support/s3-program.js';
import { bearer } from '../../support/tokens.js';
import { get, put } from '../../support/uploading.js';

const hash = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';
const size = 10_000;

function deletedBy(program: Program): unknown[] {
  return program
    .logLines()
    .filter(({ msg }) => msg === 'deleted')
    .map(({ path }) => path)
    .sort();
}

describe('S3: retention', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  it('answers 410 at once, sweeps afterwards, and keeps the slot taken', async (t) => {
    const program = await startOnBucket(t, await ceph(), { expiresAfter: '4s', sweepInterval: '1s' });
    assert.equal((await put(program, 's/f.png', Buffer.alloc(size))).status, 201);
    const { headers, status } = await get(program, 's/f.png');
    assert.equal(status, 200);
    assert.match(headers['cache-control'] ?? '', /^max-age=[0-4], immutable, no-transform$/);
    await program.waitForLog(({ msg }) => msg === 'deleted');
    assert.equal((await get(program, 's/f.png')).status, 410);
    assert.equal((await put(program, 's/f.png', Buffer.alloc(size))).status, 409);
    await program.waitForLog(({ msg, files }) => msg === 'swept' && files === 0);
    assert.deepEqual(await program.contents(), ['s/f.png'], 'its tombstone');
  });

  it('follows the token and the first rule that matches', async (t) => {
    const retention = [
      { match: 'story_*', expiresAfter: '1s' },
      { contentType: 'video/*', largerThan: '1KB', expiresAfter: '1s' },
    ];
    const program = await startOnBucket(t, await ceph(), { replayWindow: '0s', sweepInterval: '1s', retention });
    for (const [name, bytes] of Object.entries({
      's/story_1.jpg': size,
      's/f.jpg': size,
      's/f.mp4': size,
      's/g.mp4': 500,
    })) {
      assert.equal((await put(program, name, Buffer.alloc(bytes))).status, 201);
    }
    for (const [filename, keptMs] of Object.entries({ short: 2000, long: 600_000 })) {
      const times = { exp: Date.now() / 1000 + 60, expires: Math.ceil((Date.now() + keptMs) / 1000) };
      const claims = { slot: 's', filename, filesize: 1, sub: 'romeo@example.org', ...times };
      const headers = { authorization: bearer(claims, { key: program.secret }) };
      const request = { method: 'PUT', headers, body: Buffer.from('x') };
      assert.equal((await send(`${program.uploadUrl}s/${filename}`, request)).status, 201);
    }
    await eventually(() => deletedBy(program).length === 3);
    assert.deepEqual(deletedBy(program), ['s/f.mp4', 's/short', 's/story_1.jpg']);
    await eventually(async () => (await program.contents()).length === 4);
    const [note, ...uploads] = await program.contents();
    assert.match(note ?? '', /^\.prosody-filer\/expiring\/\S+Z\/\S+\/s\/long$/);
    assert.deepEqual(uploads, ['s/f.jpg', 's/g.mp4', 's/long']);
  });

  it('follows the stored type, whatever the extension', async (t) => {
    const retention = [{ contentType: 'video/*', expiresAfter: '1s' }];
    const program = await startOnBucket(t, await ceph(), { replayWindow: '0s', sweepInterval: '1s', retention });
    for (const [name, type] of Object.entries({ 's/clip.bin': 'video/mp4', 's/text.mp4': 'text/plain' })) {
      assert.equal((await put(program, name, Buffer.alloc(size), { 'content-type': type })).status, 201);
    }
    await eventually(() => deletedBy(program).length === 1);
    const sweeps = () => program.logLines().filter(({ msg }) => msg === 'swept').length;
    const before = sweeps();
    await eventually(() => sweeps() >= before + 2);
    assert.deepEqual(deletedBy(program), ['s/clip.bin']);
    assert.deepEqual(await program.contents(), ['s/text.mp4']);
  });

  it('knows the usage after a restart, in total and of uploaders named in paths', async (t) => {
    const first = await startOnBucket(t, await ceph(), { secret: 'mysecret' });
    for (const key of [`${hash}/a/f`, 's/f']) assert.equal((await put(first, key, Buffer.alloc(size))).status, 201);
    await first.stop();
    const settings = { secret: 'mysecret', s3: { bucket: first.bucket }, userQuota: '15KB', maxStoreSize: '35KB' };
    const program = await startOnBucket(t, await ceph(), settings);
    const statusOf = async (key: string) => (await put(program, key, Buffer.alloc(size))).status;
    assert.equal(await statusOf(`${hash}/b/f`), 413);
    assert.equal(await statusOf('s/g'), 201);
    assert.equal(await statusOf('s/h'), 507);
    const { reason } = await program.waitForLog(({ status }) => status === 413);
    assert.match(String(reason), /^10000 bytes are stored for 2ed681f1/);
  });

  it('remembers the uploaders of Bearer tokens from sweep to sweep', async (t) => {
    const program = await startOnBucket(t, await ceph(), { userQuota: '15KB', sweepInterval: '1s' });
    const upload = async (filename: string) => {
      const exp = Date.now() / 1000 + 60;
      const claims = { slot: 's', filename, filesize: size, sub: 'romeo@example.org', exp };
      const headers = { authorization: bearer(claims, { key: program.secret }) };
      const { status } = await send(`${program.uploadUrl}s/${filename}`, {
        method: 'PUT',
        headers,
        body: Buffer.alloc(size),
      });
      return status;
    };
    assert.equal(await upload('f'), 201);
    const sweeps = () => program.logLines().filter(({ msg, files }) => msg === 'swept' && files === 1).length;
    await eventually(() => sweeps() >= 2);
    assert.equal(await upload('g'), 413);
  });

  it('makes room by eviction of the oldest', async (t) => {
    const settings = { maxStoreSize: '25KB', whenFull: 'evict', evictMinAge: '1ms', sweepInterval: '1s' };
    const program = await startOnBucket(t, await ceph(), settings);
    assert.equal((await put(program, 's/1', Buffer.alloc(size))).status, 201);
    // The age of uploads is known in seconds.
    await wait(1100);
    assert.equal((await put(program, 's/2', Buffer.alloc(size))).status, 201);
    await eventually(async () => (await put(program, 's/3', Buffer.alloc(size))).status === 201);
    assert.equal((await get(program, 's/1')).status, 410);
    assert.equal((await get(program, 's/2')).status, 200);
  });
});
