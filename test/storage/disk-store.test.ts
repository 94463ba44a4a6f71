import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import type { DiskStoreOptions } from '../../src/storage/disk/disk-store.js';
import { openStore } from '../../src/storage/open-store.js';
import type { Store } from '../../src/storage/store.js';
import { projectFolder, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { nobody } from '../support/nobody.js';
import { RunningProcess } from '../support/running-process.js';
import { describeStore, incoming, key, readBack } from '../support/store-contract.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { ids, uploaderIds } from '../support/uploader-ids.js';

const options = { isDurable: false, stallTimeoutMs: 60_000 };

async function open(
  t: TestContext,
  { replayWindowMs = 0, ...overrides }: Partial<DiskStoreOptions> & { replayWindowMs?: number } = {},
) {
  const storeDir = await tempDir(t);
  const { store } = await openStore({
    ...options,
    tombstonePhase: tombstonePhases(replayWindowMs),
    ...overrides,
    storeDir,
  });
  return { store, storeDir, contents: () => filesIn(storeDir) };
}

/** The folders below storeDir, without the bookkeeping. */
async function foldersIn(storeDir: string): Promise<string[]> {
  const entries = await readdir(storeDir, { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  const names = folders.map((entry) => path.relative(storeDir, path.join(entry.parentPath, entry.name)));
  return names.filter((name) => !name.startsWith('.prosody-filer')).sort();
}

describeStore('the disk store', open);
describeStore('the durable disk store', (t, overrides) => open(t, { ...overrides, isDurable: true }));

describe("the disk store's tree", () => {
  it('is plain files at their keys, without a sidecar if the path tells all facts', async (t) => {
    const { store, storeDir, contents } = await open(t);
    const uploader = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';
    await store.put(key('slot/photo.jpg'), incoming(Buffer.from('x'), { contentType: 'image/jpeg' }));
    await store.put(key(`${uploader}/slot/f`), incoming(Buffer.from('x'), { uploader }));
    assert.deepEqual(await contents(), [`${uploader}/slot/f`, 'slot/photo.jpg']);
    assert.equal(await readFile(path.join(storeDir, 'slot/photo.jpg'), 'utf8'), 'x');
  });

  it('can be one that the original prosody-filer wrote', async (t) => {
    const { store, storeDir } = await open(t);
    await mkdir(path.join(storeDir, 'slot'));
    await writeFile(path.join(storeDir, 'slot/old.png'), 'old');
    const upload = await store.open(key('slot/old.png'));
    upload?.close();
    assert.equal(upload?.contentType, 'image/png');
    assert.equal((await readBack(store, 'slot/old.png')).toString(), 'old');
  });

  it('has the configured modes, and hides its bookkeeping', async (t) => {
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const { store, storeDir } = await open(t, { fileMode: 0o640, dirMode: 0o750 });
    await store.put(key('a/b/f'), incoming(Buffer.from('x'), { contentType: 'image/png' }));
    const modeOf = async (name: string) => ((await stat(path.join(storeDir, name))).mode & 0o777).toString(8);
    assert.deepEqual(await Promise.all(['a', 'a/b', 'a/b/f', '.prosody-filer'].map(modeOf)), [
      '750',
      '750',
      '640',
      '700',
    ]);
  });

  for (const [what, modes] of [
    ['with configured modes', { fileMode: 0o640, dirMode: 0o750 }],
    ['without', {}],
  ] as const) {
    it(`gives uploads and folders the group of a setgid storeDir (${what})`, {
      skip: process.getuid?.() !== 0 && 'needs root',
    }, async (t) => {
      const umask = process.umask(0o077);
      t.after(() => process.umask(umask));
      const storeDir = await tempDir(t);
      await chown(storeDir, 0, nobody);
      await chmod(storeDir, 0o2750);
      const { store, warnings } = await openStore({ ...options, ...modes, storeDir });
      assert.deepEqual(warnings, []);
      await store.put(key('a/b/f'), incoming(Buffer.from('x'), { contentType: 'image/png' }));
      for (const [name, mode] of [
        ['a', modes.dirMode ?? 0o700],
        ['a/b', modes.dirMode ?? 0o700],
      ] as const) {
        const stats = await stat(path.join(storeDir, name));
        assert.deepEqual([stats.gid, stats.mode & 0o7777], [nobody, 0o2000 | mode], name);
      }
      const file = await stat(path.join(storeDir, 'a/b/f'));
      assert.deepEqual([file.gid, file.mode & 0o777], [nobody, modes.fileMode ?? 0o600]);
    });
  }

  it('warns at the start if uploads would not get the group of a storeDir with the setgid bit', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const { storeDir, store } = await open(t);
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    await chown(storeDir, 0, nobody);
    await chmod(storeDir, 0o2750);
    const { warnings } = await openStore({ ...options, storeDir });
    assert.match(
      warnings.join('\n'),
      /^storeDir: new uploads get group 0, but storeDir has group 65534\. Run: chgrp -R 65534 /,
    );
    const [, commands = ''] = warnings[0]?.split(/(?=chgrp)/) ?? [];
    execFileSync('sh', ['-c', commands]);
    assert.deepEqual((await openStore({ ...options, storeDir })).warnings, []);
    await store.put(key('slot/g'), incoming(Buffer.from('x')));
    assert.equal((await stat(path.join(storeDir, 'slot/g'))).gid, nobody);
  });

  it('keeps type and expiry in a copy that keeps times to the second', async (t) => {
    const { store, storeDir } = await open(t);
    const copy = await tempDir(t);
    await store.put(key('slot/f.jpg'), incoming(Buffer.from('x'), { contentType: 'image/webp', expiresAt: 5000 }));
    execFileSync('tar', ['-C', storeDir, '-cf', path.join(copy, 'backup.tar'), '.']);
    execFileSync('tar', ['-C', copy, '-xf', path.join(copy, 'backup.tar')]);
    const upload = await (await openStore({ ...options, storeDir: copy })).store.open(key('slot/f.jpg'));
    upload?.close();
    assert.deepEqual([upload?.contentType, upload?.expiresAt], ['image/webp', 5000]);
  });

  it('does not apply a sidecar to another file that somebody put in the place of its upload', async (t) => {
    const { store, storeDir } = await open(t);
    await store.put(key('slot/f.jpg'), incoming(Buffer.from('x'), { contentType: 'image/webp' }));
    const file = path.join(storeDir, 'slot/f.jpg');
    const { atime, mtime } = await stat(file);
    const typeNow = async () => {
      const upload = await store.open(key('slot/f.jpg'));
      upload?.close();
      return upload?.contentType;
    };
    await utimes(file, atime, new Date(mtime.getTime() + 1000));
    assert.equal(await typeNow(), 'image/jpeg');
    await writeFile(file, 'longer');
    await utimes(file, atime, mtime);
    assert.equal(await typeNow(), 'image/jpeg');
  });

  it('serves an upload whose sidecar cannot be read', async (t) => {
    const { store, storeDir, contents } = await open(t);
    await store.put(key('slot/f.jpg'), incoming(Buffer.from('x'), { contentType: 'image/webp' }));
    const sidecar = (await contents()).find((name) => name.includes('sidecars')) ?? '';
    const unreadable = [
      '{"version":1,"conte',
      '{"version":2,"contentType":"a/b"}',
      '{"version":1,"contentType":"a/b\\r\\nX: y"}',
      '{"version":1,"contentType":"a/b","expiresAt":null}',
      'null',
    ];
    for (const text of unreadable) {
      await writeFile(path.join(storeDir, sidecar), text);
      assert.equal((await store.open(key('slot/f.jpg')))?.contentType, 'image/jpeg');
    }
  });

  it('is not created again when storeDir is gone', async (t) => {
    const { store, storeDir } = await open(t);
    await rename(storeDir, `${storeDir}-gone`);
    t.after(() => rm(`${storeDir}-gone`, { recursive: true }));
    await assert.rejects(store.put(key('slot/f'), incoming(Buffer.from('x'))), {
      code: 'STORE_FAILED',
      message: /ENOENT/,
    });
    await assert.rejects(stat(storeDir), { code: 'ENOENT' });
    await mkdir(storeDir);
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
  });
});

describe('an entry of the tree that is no upload', () => {
  async function openWithOutside(t: TestContext) {
    const opened = await open(t);
    const outside = await tempDir(t);
    await writeFile(path.join(outside, 'passwd'), 'root');
    return { ...opened, outside };
  }

  it('is not served through a symbolic link to the file or to one of its folders', async (t) => {
    const { store, storeDir, outside } = await openWithOutside(t);
    await mkdir(path.join(storeDir, 'slot'));
    await symlink(path.join(outside, 'passwd'), path.join(storeDir, 'slot/link'));
    await symlink(outside, path.join(storeDir, 'folder'));
    await writeFile(path.join(storeDir, 'slot/inside'), 'x');
    await symlink('inside', path.join(storeDir, 'slot/alias'));
    for (const name of ['slot/link', 'folder/passwd', 'slot/alias']) {
      assert.equal(await store.open(key(name)), undefined, name);
      assert.equal(await store.delete(key(name)), undefined, name);
    }
    assert.equal(await readFile(path.join(outside, 'passwd'), 'utf8'), 'root');
  });

  it('is not written to through a symbolic link', async (t) => {
    const { store, storeDir, outside } = await openWithOutside(t);
    await symlink(outside, path.join(storeDir, 'folder'));
    await symlink(path.join(outside, 'new'), path.join(storeDir, 'dangling'));
    for (const name of ['folder/new', 'folder/sub/new', 'dangling']) {
      await assert.rejects(store.put(key(name), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' }, name);
    }
    assert.deepEqual(await readdir(outside), ['passwd']);
  });

  it('may be a folder, or a pipe that would block', async (t) => {
    const { store, storeDir } = await open(t);
    await mkdir(path.join(storeDir, 'slot'));
    execFileSync('mkfifo', [path.join(storeDir, 'slot/pipe')]);
    assert.equal(await store.open(key('slot')), undefined);
    assert.equal(await store.open(key('slot/pipe')), undefined);
    await assert.rejects(store.put(key('slot'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
  });

  it('blocks keys below it if it is a file', async (t) => {
    const { store, contents } = await open(t);
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    await assert.rejects(store.put(key('slot/f/g'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
    assert.deepEqual(await contents(), ['slot/f']);
  });

  it('cannot have a name that the filesystem cannot hold', async (t) => {
    const { store, contents } = await open(t);
    const tooLong = Array.from({ length: 30 }, () => 'x'.repeat(200)).join('/');
    await assert.rejects(store.put(key(tooLong), incoming(Buffer.from('x'))), { code: 'NAME_TOO_LONG' });
    assert.equal(await store.open(key(tooLong)), undefined);
    assert.deepEqual(await contents(), []);
  });

  for (const [what, name, code] of [
    ['longer than the system takes', `${'x/'.repeat(2050)}f`, 'NAME_TOO_LONG'],
    ['with a long name below new folders', `a/b/${'x'.repeat(256)}/f`, 'NAME_TOO_LONG'],
    ['below a file', 'file/a/b', 'KEY_TAKEN'],
    ['below a link, with new folders before', 'folder/new/link/a', 'KEY_TAKEN'],
  ] as const) {
    it(`cannot have a path ${what}, and no folder is left of the attempt`, async (t) => {
      const { store, storeDir } = await open(t);
      await writeFile(path.join(storeDir, 'file'), '');
      await mkdir(path.join(storeDir, 'folder/new'), { recursive: true });
      await symlink('/tmp', path.join(storeDir, 'folder/new/link'));
      const before = await foldersIn(storeDir);
      await assert.rejects(store.put(key(name), incoming(Buffer.from('x'))), { code });
      assert.deepEqual(await foldersIn(storeDir), before);
    });
  }

  it('stays if it is an empty folder of somebody else and an upload in it fails', async (t) => {
    const { store, storeDir } = await open(t);
    await mkdir(path.join(storeDir, 'mine/too'), { recursive: true });
    await assert.rejects(store.put(key(`mine/too/new/${'x'.repeat(256)}/f`), incoming(Buffer.from('x'))));
    assert.deepEqual(await foldersIn(storeDir), ['mine', 'mine/too']);
  });
});

describe('an upload in progress', () => {
  it('never looks abandoned while bytes arrive, however few', async (t) => {
    const { store, contents, storeDir } = await open(t);
    const body = new PassThrough();
    const put = store.put(key('slot/f'), incoming(Buffer.alloc(3), { openBody: () => body }));
    body.write('1');
    await eventually(async () => (await contents()).length === 1);
    const temporary = path.join(storeDir, (await contents())[0] ?? '');
    // Longer than bytes are gathered for a write.
    await new Promise((resolve) => setTimeout(resolve, 300));
    body.write('2');
    await eventually(async () => (await stat(temporary)).size === 2);
    body.end('3');
    await put;
  });

  for (const isDurable of [true, false]) {
    for (const contentType of ['application/octet-stream', 'image/webp']) {
      it(`is stored although its temporary folder is removed (${contentType}, durable: ${isDurable})`, async (t) => {
        const { store, storeDir, contents } = await open(t, { isDurable, fileMode: 0o640, replayWindowMs: 60_000 });
        const body = new PassThrough();
        const bytes = Buffer.alloc(1_000_000, 'x');
        const put = store.put(key('slot/f'), incoming(bytes, { contentType, openBody: () => body }));
        body.write(bytes.subarray(0, 500_000));
        await eventually(async () => (await contents()).length > 0);
        await rm(path.join(storeDir, '.prosody-filer'), { recursive: true });
        body.end(bytes.subarray(500_000));
        await put;
        assert.ok((await readBack(store, 'slot/f')).equals(bytes));
        const upload = await store.open(key('slot/f'));
        upload?.close();
        assert.equal(upload?.contentType, contentType);
        assert.equal((await stat(path.join(storeDir, 'slot/f'))).mode & 0o777, 0o640);
        assert.deepEqual(
          (await contents()).filter((name) => name.includes('temporary')),
          [],
        );
        await store.put(key('slot/g'), incoming(bytes));
      });
    }
  }

  it('that needs a sidecar is refused before its body is asked for if its slot was used', async (t) => {
    const { store, contents } = await open(t, { replayWindowMs: 60_000 });
    const facts = { uploader: 'romeo@example.org' };
    for (const name of ['slot/taken', 'slot/deleted']) await store.put(key(name), incoming(Buffer.from('x'), facts));
    await store.delete(key('slot/deleted'));
    const before = await contents();
    const openBody = () => assert.fail('the body was asked for');
    for (const name of ['slot/taken', 'slot/deleted']) {
      const replay = incoming(Buffer.from('x'), { ...facts, openBody });
      await assert.rejects(store.put(key(name), replay), { code: 'KEY_TAKEN' });
    }
    assert.deepEqual(await contents(), before);
  });

  it('that races a hundred others does not look for a free second one by one', async (t) => {
    const { store, contents } = await open(t);
    const bodies = Array.from({ length: 100 }, () => new PassThrough());
    const puts = bodies.map((body) =>
      store.put(key('slot/f'), incoming(Buffer.from('x'), { uploader: 'romeo@example.org', openBody: () => body })),
    );
    await eventually(async () => (await contents()).length === bodies.length);
    for (const body of bodies) body.end('x');
    const results = await Promise.allSettled(puts);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await contents()).length, 2, 'the upload and its sidecar');
    const upload = await store.open(key('slot/f'));
    upload?.close();
    assert.ok(Date.now() - (upload?.modifiedAt ?? 0) < 3_600_000);
  });

  it('that cannot fit is refused before its body is read', async (t) => {
    const { store, contents } = await open(t);
    const openBody = () => assert.fail('the body was asked for');
    const huge = { ...incoming(Buffer.alloc(0), { openBody }), size: 2 ** 50 };
    await assert.rejects(store.put(key('slot/f'), huge), { code: 'STORE_FULL' });
    assert.deepEqual(await contents(), []);
  });
});

describe('temporary files of other processes', () => {
  async function leave(storeDir: string, name: string, ageMs: number): Promise<void> {
    const folder = path.join(storeDir, '.prosody-filer/temporary', name);
    await mkdir(path.join(folder, '0'), { recursive: true });
    await writeFile(path.join(folder, '0/1'), 'partial');
    const then = new Date(Date.now() - ageMs);
    for (const file of ['0/1', '0', '.']) await utimes(path.join(folder, file), then, then);
  }

  /** The name of this process's folder. */
  async function ownName(storeDir: string): Promise<string> {
    const { store } = await openStore({ ...options, storeDir });
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    const [name = ''] = await readdir(path.join(storeDir, '.prosody-filer/temporary'));
    return name;
  }

  /** The pid and start time of a process that has ended, and whose parent has not noticed it. */
  async function startZombie(t: TestContext): Promise<[pid: string, startTime: string]> {
    const parent = new RunningProcess('sh', ['-c', 'sleep 0 & exec sleep 60']);
    t.after(() => parent.stop());
    const found: [string, string][] = [];
    await eventually(async () => {
      const pid = (await readFile(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8')).trim();
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z') found.push([pid, fields[19] ?? '']);
      return found.length > 0;
    });
    return found[0] ?? assert.fail('no zombie');
  }

  it('are removed at a start if the process is dead, or nothing touched them for twice stallTimeout', async (t) => {
    const storeDir = await tempDir(t);
    const own = await ownName(storeDir);
    const [host, namespace, pid, startTime] = own.split('~');
    const living = own;
    const dead = [host, namespace, '4194999', '1'].join('~');
    const zombie = [host, namespace, ...(await startZombie(t))].join('~');
    const reusedPid = [host, namespace, pid, `${startTime}0`].join('~');
    const otherHost = ['other', namespace, pid, startTime].join('~');
    const otherContainer = [host, '1', '4194999', '1'].join('~');
    const forgotten = ['other', namespace, '5', '5'].join('~');
    for (const name of [living, dead, zombie, reusedPid, otherHost, otherContainer]) await leave(storeDir, name, 1000);
    await leave(storeDir, forgotten, 121_000);
    const { warnings } = await openStore({ ...options, storeDir });
    assert.deepEqual(warnings, []);
    const left = await readdir(path.join(storeDir, '.prosody-filer/temporary'));
    assert.deepEqual(left.sort(), [living, otherHost, otherContainer].sort());
  });

  it('are removed by a sweep if the process is dead by then', async (t) => {
    const { store, storeDir } = await open(t);
    const own = await ownName(storeDir);
    const [host, namespace] = own.split('~');
    const otherHost = ['other', namespace, '5', '5'].join('~');
    for (const name of [[host, namespace, '4194999', '1'].join('~'), otherHost]) await leave(storeDir, name, 121_000);
    for await (const _ of store.tidy()) assert.fail('there are no tombstones');
    const left = await readdir(path.join(storeDir, '.prosody-filer/temporary'));
    assert.deepEqual(left.sort(), [own, otherHost].sort());
  });
});

describe('a put whose flush fails after publication', () => {
  it('leaves nothing, so that the slot can be retried', {
    skip: !existsSync('/usr/bin/strace') && 'needs strace',
  }, async (t) => {
    const folder = await tempDir(t);
    const script = fileURLToPath(new URL('../support/put-once.ts', import.meta.url));
    // Only the flush opens the slot's folder for reading. It gets EMFILE, as with too many open files.
    const inject = [
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-P',
      path.join(folder, 'slot'),
      '-e',
      'inject=openat:error=EMFILE',
    ];
    const { code, stdout } = await run(
      'strace',
      [...inject, process.execPath, '--import', 'tsx', script, folder],
      projectFolder,
    );
    assert.deepEqual([code, stdout], [0, 'STORE_BUSY\n']);
    assert.deepEqual(await filesIn(folder), []);
  });
});

describe('openStore', () => {
  it('warns of left-overs that it cannot remove, and goes on', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const storeDir = await tempDir(t);
    await mkdir(path.join(storeDir, '.prosody-filer/temporary/other~1~1~1'), { recursive: true });
    await utimes(path.join(storeDir, '.prosody-filer/temporary/other~1~1~1'), 1, 1);
    for (const name of ['.', '.prosody-filer', '.prosody-filer/temporary'])
      await chown(path.join(storeDir, name), 65_534, 65_534);
    await chmod(path.join(storeDir, '.prosody-filer/temporary'), 0o500);
    process.seteuid?.(65_534);
    t.after(() => process.seteuid?.(0));
    const { warnings } = await openStore({ ...options, storeDir }).finally(() => process.seteuid?.(0));
    assert.match(warnings.join('\n'), /^\S+other~1~1~1 could not be removed: EACCES/);
  });

  it('creates the folder and those above it', async (t) => {
    const storeDir = path.join(await tempDir(t), 'a/b');
    await openStore({ ...options, storeDir });
    assert.deepEqual(await readdir(storeDir), ['.prosody-filer']);
  });

  it('follows a storeDir that is itself a symbolic link', async (t) => {
    const folder = await tempDir(t);
    await mkdir(path.join(folder, 'disk'));
    await symlink('disk', path.join(folder, 'upload'));
    const { store } = await openStore({ ...options, storeDir: path.join(folder, 'upload') });
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    assert.equal((await readBack(store, 'slot/f')).toString(), 'x');
  });

  it('refuses a file, and a path below a file', async (t) => {
    const file = path.join(await tempDir(t), 'file');
    await writeFile(file, '');
    await assert.rejects(openStore({ ...options, storeDir: file }), {
      code: 'STORE_UNUSABLE',
      message: /storeDir: expected a folder .* is a file$/,
    });
    await assert.rejects(openStore({ ...options, storeDir: path.join(file, 'x') }), {
      code: 'STORE_UNUSABLE',
      message: /ENOTDIR/,
    });
  });

  it('leaves nothing of its probes', async (t) => {
    const { contents } = await open(t);
    assert.deepEqual(await contents(), []);
  });
});

describe("the disk store's listing", () => {
  const keysIn = async (store: Store) => {
    const keys: string[] = [];
    for await (const upload of store.list()) keys.push(upload.key);
    return keys.sort();
  };

  it('passes over entries that are no uploads, and follows no symbolic link', async (t) => {
    const { store, storeDir } = await open(t);
    const outside = await tempDir(t);
    await writeFile(path.join(outside, 'secret'), 'x');
    await store.put(key('slot/f.jpg'), incoming(Buffer.from('x'), { contentType: 'image/webp' }));
    await writeFile(path.join(storeDir, 'at the top'), 'x');
    await writeFile(path.join(storeDir, 'slot/a\tb'), 'x');
    await writeFile(Buffer.concat([Buffer.from(path.join(storeDir, 'slot/')), Buffer.of(0xff)]), 'x');
    await mkdir(path.join(storeDir, '.Prosody-Filer'));
    await writeFile(path.join(storeDir, '.Prosody-Filer/f'), 'x');
    await symlink(outside, path.join(storeDir, 'folder'));
    await symlink(path.join(outside, 'secret'), path.join(storeDir, 'slot/linked'));
    await symlink('.', path.join(storeDir, 'slot/circle'));
    execFileSync('mkfifo', [path.join(storeDir, 'slot/pipe')]);
    assert.deepEqual(await keysIn(store), ['at the top', 'slot/f.jpg']);
  });

  it('of one uploader follows no symbolic link, and ignores sidecars of files that were replaced by hand', async (t) => {
    const { store, storeDir } = await open(t);
    const outside = await tempDir(t);
    await mkdir(path.join(outside, 'slot'));
    await writeFile(path.join(outside, 'slot/secret'), 'x');
    await symlink(outside, path.join(storeDir, ids.ofMysecret));
    const putBearer = async (content: string, uploader: string) =>
      store.put(key('bearer/f'), incoming(Buffer.from(content), { uploader }));
    await putBearer('1', 'romeo@example.org');
    await rm(path.join(storeDir, 'bearer/f'));
    await putBearer('12', 'juliet@example.org');
    const keysOf = async (jid: string) => {
      const found: string[] = [];
      for await (const upload of store.list({ of: uploaderIds.filterOf(jid) })) found.push(upload.key);
      return found;
    };
    assert.deepEqual(await keysOf('romeo@example.org'), []);
    assert.deepEqual(await keysOf('juliet@example.org'), ['bearer/f']);
  });

  it('leaves no file open when it is broken off', async (t) => {
    const { store } = await open(t);
    for (const name of ['a/b/c/f', 'a/b/c/g']) await store.put(key(name), incoming(Buffer.from('x')));
    const before = await readdir('/proc/self/fd');
    for await (const upload of store.list()) if (upload.size === 1) break;
    assert.equal((await readdir('/proc/self/fd')).length, before.length);
  });

  it('fails if the folder itself is gone', async (t) => {
    const { store, storeDir } = await open(t);
    await rm(storeDir, { recursive: true });
    await assert.rejects(keysIn(store), { code: 'STORE_FAILED', message: /ENOENT/ });
  });
});

it('opening names the folder that an earlier start as root made, and that this user may not enter', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async (t) => {
  const { store, storeDir } = await open(t);
  await store.put(key('slot/f'), incoming(Buffer.from('x')));
  for (const name of ['', '.prosody-filer']) await chown(path.join(storeDir, name), nobody, nobody);
  process.seteuid?.(nobody);
  try {
    await assert.rejects(openStore({ ...options, storeDir }), {
      code: 'STORE_UNUSABLE',
      message: /^storeDir: expected a folder that this user may write to, EACCES.*temporary/,
    });
  } finally {
    process.seteuid?.(0);
  }
});
