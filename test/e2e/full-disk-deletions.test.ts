import assert from 'node:assert/strict';
import { readdir, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { missingPeer } from '../support/peers.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import { mountSmallDisk, type Shortage } from '../support/small-disk.js';
import { bearer, deleteToken, secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { get, put } from '../support/uploading.js';

const shortages: Record<Shortage, string> = { space: 'mkfs.ext4', inodes: 'mount', quota: 'btrfs' };
const dayMs = 24 * 60 * 60 * 1000;
const usualSize = 1_000_000;

/**
 * A server that starts on a disk that is full, with an upload of today, `slot/f`, of which its token named the uploader, so
 * that its tombstone is not empty. No tombstone was ever left there, so that its folders are missing, too.
 */
async function startOnFullDisk(
  t: TestContext,
  shortage: Shortage,
  settings: Settings = {},
  size = usualSize,
  missing = 'temporary',
) {
  const programs: Program[] = [];
  t.after(async () => {
    for (const program of programs) await program.stop();
  });
  const disk = await mountSmallDisk(t, shortage);
  const start = async (more: Settings) => {
    const program = await startProgram(t, { storeDir: disk.storeDir, secret, deleteSecret: 'other', ...more });
    programs.push(program);
    return program;
  };
  const first = await start({});
  const claims = { slot: 'slot', filename: 'f', filesize: size, sub: 'romeo@example.org', exp: Date.now() / 1000 + 60 };
  const target = `${first.uploadUrl}slot/f`;
  const upload = { method: 'PUT', headers: { authorization: bearer(claims) }, body: Buffer.alloc(size) };
  assert.equal((await send(target, upload)).status, 201);
  const then = (Date.now() - dayMs / 2) / 1000;
  const file = path.join(disk.storeDir, 'slot/f');
  if (settings['expiresAfter'] !== undefined) await utimes(file, then, then);
  await first.stop();
  // Or the start would have the room that these folders give.
  await rm(path.join(disk.storeDir, '.prosody-filer', missing), { recursive: true });
  await disk.fill();
  return start(settings);
}

/** Asserts that the upload is gone, its folder too, and that its slot is blocked. */
async function assertDeleted(program: Program): Promise<void> {
  await eventually(async () => !(await readdir(program.storeDir)).includes('slot'));
  assert.equal((await get(program, 'slot/f')).status, 410);
  assert.equal((await put(program, 'slot/f', Buffer.alloc(100_000))).status, 409);
  const names = (await filesIn(program.storeDir)).filter((name) => name.includes('temporary'));
  assert.deepEqual(names, []);
}

function runCommand({ configFile }: Program, ...args: readonly string[]) {
  return run(process.execPath, [mainFile, ...args, '--config', configFile]);
}

for (const [shortage, peer] of Object.entries(shortages) as [Shortage, string][]) {
  // With all blocks taken, ext4 still makes files that are empty.
  const isTold = shortage !== 'space';
  describe(`a disk without ${shortage}`, {
    skip: missingPeer(peer) ?? (process.getuid?.() !== 0 && 'needs root'),
  }, () => {
    it('allows a start with a warning and a sweep, and accepts uploads again as far as there is room', async (t) => {
      const program = await startOnFullDisk(t, shortage, { expiresAfter: '1h' });
      await program.waitForLog(({ msg }) => msg === 'deleted');
      await assertDeleted(program);
      if (isTold) assert.match(program.output(), /storeDir: .*: uploads are 507 until you make room or delete some/);
      if (shortage !== 'inodes') assert.equal((await put(program, 'new/f', Buffer.from('hello'))).status, 201);
    });

    it('allows eviction to make room for an upload', async (t) => {
      const settings = { maxStoreSize: '1001KB', whenFull: 'evict', evictMinAge: '1ms' };
      const program = await startOnFullDisk(t, shortage, settings);
      const { status } = await put(program, 'new/f', Buffer.alloc(2000));
      // What the upload had is just enough for the tombstone and its two folders.
      assert.equal(status, shortage === 'inodes' ? 507 : 201);
      await assertDeleted(program);
    });

    if (shortage !== 'inodes') {
      it('allows eviction to make room for an upload larger than the free space', async (t) => {
        const settings = { maxStoreSize: '3001KB', whenFull: 'evict', evictMinAge: '1ms' };
        const program = await startOnFullDisk(t, shortage, settings, 3_000_000);
        assert.equal((await put(program, 'new/f', Buffer.alloc(2_000_000))).status, 201);
        await assertDeleted(program);
      });
    }

    it('allows DELETE', async (t) => {
      const program = await startOnFullDisk(t, shortage);
      const url = `${program.uploadUrl}slot/f?token=${deleteToken('slot/f', 'other')}`;
      assert.equal((await send(url, { method: 'DELETE' })).status, 204);
      await assertDeleted(program);
    });

    it('allows purge and DELETE if the store has no bookkeeping, as that of the Go program', async (t) => {
      const program = await startOnFullDisk(t, shortage, {}, usualSize, '.');
      assert.equal((await runCommand(program, 'purge', '--older-than', '1ms', '--dry-run')).code, 0);
      const url = `${program.uploadUrl}slot/f?token=${deleteToken('slot/f', 'other')}`;
      assert.equal((await send(url, { method: 'DELETE' })).status, 204);
      assert.ok(!(await readdir(program.storeDir)).includes('slot'));
    });

    it('allows purge', async (t) => {
      const program = await startOnFullDisk(t, shortage);
      const { code, stdout, stderr } = await runCommand(program, 'purge', '--older-than', '1ms');
      assert.deepEqual([code, stdout.split('\n').at(-2)], [0, `deleted 1 upload, ${usualSize} bytes`]);
      const told = /^prosody-filer: storeDir: .*: uploads are 507 until you make room or delete some\n$/;
      assert.match(stderr, isTold ? told : /^$/);
      await assertDeleted(program);
    });

    it('allows the delete command', async (t) => {
      const program = await startOnFullDisk(t, shortage);
      assert.equal((await runCommand(program, 'delete', 'slot/f')).code, 0);
      await assertDeleted(program);
    });

    if (isTold) {
      it('is reported by check-config, but does not prevent a start', async (t) => {
        const program = await startOnFullDisk(t, shortage);
        const { code, stdout } = await runCommand(program, 'check-config');
        assert.equal(code, 1);
        assert.match(stdout, /^PROBLEM storeDir {9}.*: uploads are 507 until you make room or delete some$/m);
      });
    }
  });
}

describe('an upload larger than the free space', {
  skip: missingPeer(shortages.space) ?? (process.getuid?.() !== 0 && 'needs root'),
}, () => {
  it('is stored while the oldest uploads are evicted', async (t) => {
    let program: Program | undefined;
    t.after(() => program?.stop());
    const { storeDir } = await mountSmallDisk(t, 'space');
    const settings = { storeDir, minFreeSpace: '1MB', whenFull: 'evict', evictMinAge: '1ms', sweepInterval: '1s' };
    program = await startProgram(t, settings);
    for (let index = 0; index < 10; index += 1) {
      assert.equal((await put(program, `old${index}/f`, Buffer.alloc(usualSize))).status, 201);
    }
    await program.waitForLog(({ msg, files }) => msg === 'swept' && files === 10);
    assert.equal((await put(program, 'new/f', Buffer.alloc(9 * usualSize))).status, 201);
    assert.match(String((await program.waitForLog(({ msg }) => msg === 'deleted'))['path']), /^old/);
  });
});

describe('a deletion that makes too little room for its tombstone', {
  skip: missingPeer('btrfs') ?? (process.getuid?.() !== 0 && 'needs root'),
}, () => {
  it('blocks the slot in the process that deletes, and is logged', async (t) => {
    const program = await startOnFullDisk(t, 'quota', {}, 50_000);
    const url = `${program.uploadUrl}slot/f?token=${deleteToken('slot/f', 'other')}`;
    assert.equal((await send(url, { method: 'DELETE' })).status, 204);
    await program.waitForLog(({ msg }) =>
      /^slot\/f was deleted, but the disk is too full to note that/.test(String(msg)),
    );
    assert.deepEqual(await filesIn(path.join(program.storeDir, '.prosody-filer')), []);
    await assertDeleted(program);
  });
});
