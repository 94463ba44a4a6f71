import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { missingPeer } from '../support/peers.js';
import { type Settings, startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';

async function startOnTmpfs(t: TestContext, options: string, settings: Settings = {}) {
  let mountPoint = '';
  let stop = async () => {};
  t.after(() => stop()); // hooks run in this order: the program, the mount, its folder
  t.after(() => run('umount', ['--lazy', mountPoint]));
  mountPoint = await tempDir(t);
  const { code, stderr } = await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', mountPoint]);
  assert.equal(code, 0, stderr);
  const program = await startProgram(t, { ...settings, storeDir: path.join(mountPoint, 'upload') });
  stop = async () => {
    await program.stop();
  };
  return program;
}

/** A btrfs of 256 MiB whose subvolume `limited` takes no more than this. */
async function mountLimitedBtrfs(t: TestContext, limit: string): Promise<string> {
  const folder = await tempDir(t);
  const mountPoint = path.join(folder, 'mount');
  const limited = path.join(mountPoint, 'limited');
  const commands = [
    ['mkdir', mountPoint],
    ['truncate', '--size=256M', `${folder}/disk`],
    ['mkfs.btrfs', '--quiet', `${folder}/disk`],
    ['mount', '-o', 'loop', `${folder}/disk`, mountPoint],
    ['btrfs', 'quota', 'enable', mountPoint],
    ['btrfs', 'subvolume', 'create', limited],
    ['btrfs', 'qgroup', 'limit', limit, limited],
  ];
  for (const [command = '', ...args] of commands) {
    const { code, stderr } = await run(command, args);
    assert.equal(code, 0, stderr);
  }
  return limited;
}

describe('a filesystem with a quota', {
  skip: missingPeer('btrfs') ?? (process.getuid?.() !== 0 && 'needs root'),
}, () => {
  it('is 507 in the middle of an upload, leaves nothing, and others continue', async (t) => {
    let stop = async () => {};
    let limited = '';
    t.after(() => stop()); // hooks run in this order: the program, the mount, its folder
    t.after(() => run('umount', ['--lazy', path.dirname(limited)]));
    limited = await mountLimitedBtrfs(t, '8M');
    const program = await startProgram(t, { storeDir: path.join(limited, 'upload') });
    stop = async () => {
      await program.stop();
    };
    const { status } = await put(program, 's/large', Buffer.alloc(20_000_000));
    assert.equal(status, 507);
    const { reason } = await program.waitForLog((line) => line['status'] === 507);
    assert.match(String(reason), /the quota of the filesystem is used up/);
    assert.deepEqual(await filesIn(program.storeDir), []);
    assert.equal((await put(program, 's/small', Buffer.from('hello'))).status, 201);
    assert.equal((await get(program, 's/small')).body.toString(), 'hello');
  });
});

describe('a filesystem that becomes full', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  it('during an upload that did fit is 507, leaves nothing, and others continue', async (t) => {
    const program = await startOnTmpfs(t, 'size=8m');
    const size = 5_000_000;
    const late = await beginPut(t, program, 's/late', size, Buffer.alloc(1_000_000));
    const small = await beginPut(t, program, 's/small', 10, '01234');
    await eventually(async () => (await filesIn(program.storeDir)).length === 2);
    assert.equal((await put(program, 's/early', Buffer.alloc(size, 'e'))).status, 201);

    late.socket.write(Buffer.alloc(size - 1_000_000));
    await late.waitFor(/^HTTP\/1\.1 507 [\s\S]*The server has no room for this file\.\n$/);
    const { reason } = await program.waitForLog(({ status }) => status === 507);
    assert.match(String(reason), /no space is left on the device/);
    small.socket.write('56789');
    await small.waitFor(/^HTTP\/1\.1 201 /);
    assert.deepEqual(await filesIn(program.storeDir), ['s/early', 's/small']);
    assert.ok((await get(program, 's/early')).body.equals(Buffer.alloc(size, 'e')));
    assert.equal((await get(program, 's/late')).status, 404);

    await rm(path.join(program.storeDir, 's/early'));
    assert.equal((await put(program, 's/late', Buffer.alloc(size))).status, 201);
  });

  /** Uploads until no inode is left for the next one; that one's slot is the last. */
  async function useUpInodes(t: TestContext) {
    const program = await startOnTmpfs(t, 'size=8m,nr_inodes=40');
    const slots: string[] = [];
    let status = 201;
    while (status === 201) {
      assert.ok(slots.length < 40, 'more uploads than inodes');
      slots.push(`slot${slots.length}`);
      // Every second one needs a sidecar, since its type is not its extension's.
      const type = slots.length % 2 === 0 ? 'image/webp' : 'image/jpeg';
      const answer = await put(program, `${slots.at(-1)}/a/b/f.jpg`, Buffer.from('hello'), { 'content-type': type });
      status = answer.status;
    }
    assert.equal(status, 507);
    const failed = slots.pop() ?? '';
    return { program, slots, failed };
  }

  it('of inodes is 507, leaves no file, and accepts uploads again when some are free', async (t) => {
    const { program, slots, failed } = await useUpInodes(t);
    const names = await filesIn(program.storeDir);
    assert.deepEqual(
      names.filter((name) => !name.includes('/sidecars/')),
      slots.map((slot) => `${slot}/a/b/f.jpg`),
    );
    assert.equal(names.length, slots.length + Math.floor(slots.length / 2), 'a sidecar for every second one');
    assert.equal((await get(program, 'slot0/a/b/f.jpg')).body.toString(), 'hello');

    await rm(path.join(program.storeDir, 'slot0'), { recursive: true });
    assert.equal((await put(program, `${failed}/a/b/f.jpg`, Buffer.from('hello'))).status, 201);
  });

  it('of inodes leaves no empty folder of the upload that failed', async (t) => {
    const { program, failed } = await useUpInodes(t);
    assert.ok(!(await readdir(program.storeDir)).includes(failed), `${failed} stays behind`);
  });
});

describe('a filesystem with minFreeSpace', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  for (const workers of [1, 2]) {
    it(`has room for the bytes that a running upload has already written, with ${workers} worker(s)`, async (t) => {
      const settings = { workers, minFreeSpace: '10MB', whenFull: 'evict', evictMinAge: '1ms', sweepInterval: '1s' };
      const program = await startOnTmpfs(t, 'size=40m', settings);
      assert.equal((await put(program, 'old/f', Buffer.alloc(1_000_000))).status, 201);
      await program.waitForLog(({ msg, files }) => msg === 'swept' && files === 1);
      const large = await beginPut(t, program, 's/large', 25_000_000, Buffer.alloc(24_000_000));
      // A worker reports every second which bytes have arrived.
      await eventually(async () => (await put(program, 's/small', Buffer.alloc(4_000_000))).status !== 507);
      large.socket.write(Buffer.alloc(1_000_000));
      await large.waitFor(/201 Created/);
      const stored = (await filesIn(program.storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
      assert.deepEqual(stored, ['old/f', 's/large', 's/small'], 'nothing had to go');
    });
  }
});
