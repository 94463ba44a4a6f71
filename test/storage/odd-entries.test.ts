import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { compileRetention } from '../../src/retention/expiry.js';
import { openRetention } from '../../src/retention/open-retention.js';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { openStore } from '../../src/storage/open-store.js';
import { noLimits } from '../support/no-limits.js';
import { nobody } from '../support/nobody.js';
import { incoming, key } from '../support/store-contract.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { uploaderIds } from '../support/uploader-ids.js';

const hourMs = 3_600_000;
const uploader = 'romeo@example.org';
const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' };

/** A store with a limit and one upload, `slot/f`. */
async function openWithUpload(t: TestContext) {
  const storeDir = await tempDir(t);
  const options = { storeDir, isDurable: false, stallTimeoutMs: 60_000, tombstonePhase: tombstonePhases(24 * hourMs) };
  const { store } = await openStore(options);
  const lines: Record<string, unknown>[] = [];
  const log = (line: object, message: string) => lines.push({ ...line, message });
  const limits = {
    maxStoreSize: 10_000,
    evictsWhenFull: false,
    minFreeSpace: 0,
    userQuota: 9000,
    dailyQuota: 20_000,
    quotas: [],
    evictMinAgeMs: 0,
  };
  const opened = openRetention(store, compileRetention({ rules: [] }), limits, {
    uploaderIds,
    logger: { info: log, warn: log },
    now: Date.now,
  });
  await store.put(key('slot/f'), incoming(Buffer.from('hello'), { uploader }));
  const warnings = () => lines.filter(({ message }) => String(message).startsWith('cannot be read'));
  return { ...opened, store, storeDir, warnings };
}

/** Asserts that a sweep counts the upload, and logs this path once. */
async function assertPassedOver(opened: Awaited<ReturnType<typeof openWithUpload>>, file: string): Promise<void> {
  for (let sweeps = 0; sweeps < 2; sweeps += 1) {
    const { files, bytes, unreadable } = await opened.sweeper.sweep();
    assert.deepEqual([files, bytes, unreadable], [1, 5, 1]);
  }
  assert.deepEqual(
    opened.warnings().map((line) => line['path']),
    [file],
  );
  assert.match(String(opened.warnings()[0]?.['reason']), /\S/);
  const { settle } = await opened.limits.reserve({ key: key('other/f'), size: 5, uploader, arrived: () => 0 });
  settle(false, 0);
}

/** The paths of a file in the bookkeeping that is so old that a sweep looks at it. */
async function placeIn(storeDir: string, folder: string): Promise<string> {
  const parent = path.join(storeDir, '.prosody-filer', folder, 'ab');
  await mkdir(parent, { recursive: true });
  return path.join(parent, 'ab'.repeat(32));
}

async function writeOld(file: string, text: string | Buffer): Promise<void> {
  await writeFile(file, text);
  const then = (Date.now() - 2 * hourMs) / 1000;
  await utimes(file, then, then);
}

const sidecar = { version: 1, key: 'gone/f', contentType: 'a/b' };
const tombstone = { version: 1, key: 'gone/f', size: 5, uploader, modifiedAt: Date.now() };
const notes: Record<string, readonly [folder: string, note: unknown]> = {
  'a sidecar that is null': ['sidecars', null],
  'a sidecar that is a list': ['sidecars', []],
  'a sidecar of another version': ['sidecars', { ...sidecar, version: 2 }],
  'a sidecar without a key': ['sidecars', { ...sidecar, key: undefined }],
  'a sidecar whose key is null': ['sidecars', { ...sidecar, key: null }],
  'a sidecar whose key has a NUL': ['sidecars', { ...sidecar, key: 'gone/\0' }],
  'a sidecar whose key leads out': ['sidecars', { ...sidecar, key: '../f' }],
  'a sidecar whose key has 5,000 bytes': [
    'sidecars',
    { ...sidecar, key: `${'x'.repeat(199)}/`.repeat(25).concat('x') },
  ],
  'a sidecar whose segment has 5,000 bytes': ['sidecars', { ...sidecar, key: 'x'.repeat(5000) }],
  'a sidecar with a number as uploader': ['sidecars', { ...sidecar, uploader: 5 }],
  'a sidecar with an expiry that no date can be': ['sidecars', { ...sidecar, expiresAt: 1e300 }],
  'a sidecar with a type that is none': ['sidecars', { ...sidecar, contentType: 'a/b\r\nx: y' }],
  'a sidecar of 100 KB': ['sidecars', { ...sidecar, more: 'x'.repeat(100_000) }],
  'a tombstone that is null': ['tombstones', null],
  'a tombstone with a number as uploader': ['tombstones', { ...tombstone, uploader: 5 }],
  'a tombstone with a string as size': ['tombstones', { ...tombstone, size: '5' }],
  'a tombstone with half a byte': ['tombstones', { ...tombstone, size: 0.5 }],
  'a tombstone without a time': ['tombstones', { ...tombstone, modifiedAt: null }],
  'a tombstone without a key': ['tombstones', { ...tombstone, key: undefined }],
  'a tombstone of 100 KB': ['tombstones', { ...tombstone, more: 'x'.repeat(100_000) }],
};

describe('a sweep skips, logs once and counts', () => {
  for (const [what, [folder, note]] of Object.entries(notes)) {
    it(what, async (t) => {
      const opened = await openWithUpload(t);
      const file = await placeIn(opened.storeDir, folder);
      await writeOld(file, JSON.stringify(note));
      await assertPassedOver(opened, file);
    });
  }

  for (const folder of ['sidecars', 'tombstones']) {
    it(`a pipe in ${folder}, without waiting for a writer`, async (t) => {
      const opened = await openWithUpload(t);
      const file = await placeIn(opened.storeDir, folder);
      execFileSync('mkfifo', [file]);
      await assertPassedOver(opened, file);
    });

    it(`a symbolic link in ${folder}`, async (t) => {
      const opened = await openWithUpload(t);
      const file = await placeIn(opened.storeDir, folder);
      await symlink('/etc/passwd', file);
      await assertPassedOver(opened, file);
    });
  }

  it('an upload whose name is not UTF-8', async (t) => {
    const opened = await openWithUpload(t);
    await writeFile(Buffer.concat([Buffer.from(path.join(opened.storeDir, 'slot/')), Buffer.of(0xff)]), 'x');
    await assertPassedOver(opened, path.join(opened.storeDir, 'slot/\ufffd'));
  });

  it('a folder whose name is not UTF-8', async (t) => {
    const opened = await openWithUpload(t);
    await mkdir(Buffer.concat([Buffer.from(`${opened.storeDir}/`), Buffer.of(0xff)]));
    await assertPassedOver(opened, path.join(opened.storeDir, '\ufffd'));
  });

  it('a name that no upload can have, with its control characters escaped', async (t) => {
    const opened = await openWithUpload(t);
    await writeFile(path.join(opened.storeDir, 'slot/two\nlines'), 'x');
    await assertPassedOver(opened, path.join(opened.storeDir, 'slot/two\\nlines'));
  });

  for (const [what, mode, inside] of [
    ['a folder that this user may not enter', 0o600, 'secret/f'],
    ['a folder that this user may not read', 0o300, 'secret'],
  ] as const) {
    it(what, needsRoot, async (t) => {
      const opened = await openWithUpload(t);
      const folder = path.join(opened.storeDir, 'secret');
      await mkdir(folder);
      await writeFile(path.join(folder, 'f'), 'x');
      execFileSync('chown', ['-R', String(nobody), opened.storeDir]);
      await chmod(folder, mode);
      process.seteuid?.(nobody);
      t.after(() => process.seteuid?.(0));
      try {
        await assertPassedOver(opened, path.join(opened.storeDir, inside));
      } finally {
        process.seteuid?.(0);
      }
    });
  }

  it(
    'a sidecar that this user may not read, and lists its upload with the facts that its path tells',
    needsRoot,
    async (t) => {
      const opened = await openWithUpload(t);
      const [file = ''] = (await filesIn(opened.storeDir)).filter((name) => name.includes('sidecars'));
      execFileSync('chown', ['-R', String(nobody), opened.storeDir]);
      await chown(path.join(opened.storeDir, file), 0, 0);
      await chmod(path.join(opened.storeDir, file), 0o600);
      process.seteuid?.(nobody);
      try {
        await assertPassedOver(opened, path.join(opened.storeDir, file));
      } finally {
        process.seteuid?.(0);
      }
    },
  );
});

describe('a sweep', () => {
  it('counts uploads and folders with DEL and C1 control characters in their names, and lets them expire', async (t) => {
    const { storeDir, sweeper, store } = await openWithUpload(t);
    await mkdir(path.join(storeDir, 'bÃ¼\u0085\u007f'));
    await writeFile(path.join(storeDir, 'bÃ¼\u0085\u007f/f\u009b31m.zip'), 'hello');
    const { files, bytes, unreadable } = await sweeper.sweep();
    assert.deepEqual([files, bytes, unreadable], [2, 10, 0]);
    const retention = compileRetention({ rules: [], expiresAfterMs: hourMs });
    const log = () => undefined;
    const limits = { ...noLimits, evictMinAgeMs: 0 };
    const later = { uploaderIds, logger: { info: log, warn: log }, now: () => Date.now() + 2 * hourMs };
    await openRetention(store, retention, limits, later).sweeper.sweep();
    assert.deepEqual(await readdir(storeDir), ['.prosody-filer']);
  });

  it('removes a sidecar whose upload would be below a file', async (t) => {
    const { sweeper, storeDir } = await openWithUpload(t);
    const file = await placeIn(storeDir, 'sidecars');
    await writeOld(file, JSON.stringify({ ...sidecar, key: 'slot/f/g' }));
    assert.equal((await sweeper.sweep()).unreadable, 0);
    assert.deepEqual(await readdir(path.dirname(file)), []);
  });

  it('removes the beginning of a sidecar whose writer was stopped', async (t) => {
    const { sweeper, storeDir } = await openWithUpload(t);
    const file = await placeIn(storeDir, 'sidecars');
    await writeOld(file, JSON.stringify(sidecar).slice(0, 20));
    assert.equal((await sweeper.sweep()).unreadable, 0);
    assert.deepEqual(await readdir(path.dirname(file)), []);
  });

  it('does not report lost+found, which only root may read', needsRoot, async (t) => {
    const { sweeper, storeDir } = await openWithUpload(t);
    execFileSync('chown', ['-R', String(nobody), storeDir]);
    await mkdir(path.join(storeDir, 'lost+found'), { mode: 0o700 });
    process.seteuid?.(nobody);
    try {
      assert.equal((await sweeper.sweep()).unreadable, 0);
    } finally {
      process.seteuid?.(0);
    }
  });

  it('fails if storeDir itself cannot be opened', async (t) => {
    const { sweeper, storeDir } = await openWithUpload(t);
    await rm(storeDir, { recursive: true });
    await assert.rejects(sweeper.sweep(), { code: 'STORE_FAILED', message: /ENOENT/ });
  });
});

describe('an upload whose sidecar is no longer a file', () => {
  for (const [what, replace] of [
    ['a pipe', (file: string) => execFileSync('mkfifo', [file])],
    ['a folder', (file: string) => execFileSync('mkdir', [file])],
    ['a link', (file: string) => execFileSync('ln', ['-s', '/etc/passwd', file])],
  ] as const) {
    it(`but ${what} is served with the facts that its path tells, is listed, and can be deleted`, async (t) => {
      const { store, storeDir } = await openWithUpload(t);
      const [name = ''] = (await filesIn(storeDir)).filter((name) => name.includes('sidecars'));
      await rm(path.join(storeDir, name));
      replace(path.join(storeDir, name));
      const upload = await store.open(key('slot/f'));
      upload?.close();
      assert.deepEqual([upload?.size, upload?.uploader], [5, undefined]);
      const reported: string[] = [];
      for await (const listed of store.list({ onUnreadable: (entry) => reported.push(entry.path) })) {
        assert.equal(listed.key, 'slot/f');
      }
      assert.deepEqual(reported, [path.join(storeDir, name)]);
      assert.ok(await store.delete(key('slot/f')));
      assert.equal(await store.open(key('slot/f')), undefined);
    });
  }
});
