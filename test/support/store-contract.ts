import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { FilerError } from '../../src/errors.js';
import type { ByteRange, IncomingUpload, ServedStore, Store } from '../../src/storage/store.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { eventually } from './eventually.js';
import { secret } from './tokens.js';
import { ids, uploaderIds } from './uploader-ids.js';

/** A store under test, and a look into it. */
export interface StoreUnderTest {
  readonly store: ServedStore;
  /** All files or objects of the store, with its bookkeeping and running uploads. */
  contents(): Promise<string[]>;
}

/** Names a key without the checks of `parseUploadKey`. */
export function key(path: string): UploadKey {
  return path as UploadKey;
}

/** An upload of these bytes, as they come from a socket: in chunks of up to 64 KiB with memory of their own. */
export function incoming(bytes: Buffer, facts: Partial<IncomingUpload> = {}): IncomingUpload {
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += 65_536) {
    chunks.push(Buffer.from(new Uint8Array(bytes.subarray(start, start + 65_536)).buffer));
  }
  return {
    size: bytes.length,
    contentType: 'application/octet-stream',
    openBody: () => Readable.from(chunks, { objectMode: false }),
    ...facts,
  };
}

/** Reads an upload, or a part of it; fails if there is no such upload. */
export async function readBack(store: Store, path: string, range?: ByteRange): Promise<Buffer> {
  const upload = await store.open(key(path));
  assert.ok(upload, `${path} is not stored`);
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  await upload.writeTo(sink, range);
  return Buffer.concat(chunks);
}

async function isStored(store: Store, path: string): Promise<boolean> {
  const upload = await store.open(key(path));
  upload?.close();
  return upload !== undefined;
}

/** The id of the uploader, whether the store keeps the JID or the id. */
function idOf(upload: { readonly uploader?: string | undefined } | undefined): string | undefined {
  return upload?.uploader === undefined ? undefined : uploaderIds.idOf(upload.uploader);
}

/**
 * What every store promises: run it against each. In a store that is not exclusive, several racing uploads may succeed, and the
 * last one stays. A store that is not limited has no free space. `refusedNames` are those that its filesystem cannot hold.
 */
export function describeStore(
  name: string,
  open: (t: TestContext, options?: { replayWindowMs: number }) => Promise<StoreUnderTest>,
  { isExclusive = true, isLimited = true, refusedNames = /(?!)/ } = {},
): void {
  describe(`${name}: putting`, () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 3 * 1024 * 1024 + 7]) {
      it(`returns ${size} bytes unchanged`, async (t) => {
        const { store } = await open(t);
        const bytes = randomBytes(size);
        await store.put(key('slot/file.bin'), incoming(bytes));
        assert.ok((await readBack(store, 'slot/file.bin')).equals(bytes));
      });
    }

    it('remembers the purpose', async (t) => {
      const { store } = await open(t);
      await store.put(key('slot/f'), incoming(Buffer.from('hello'), { purpose: 'profile' }));
      const upload = await store.open(key('slot/f'));
      upload?.close();
      assert.equal(upload?.purpose, 'profile');
    });

    it('remembers type, expiry and uploader', async (t) => {
      const { store } = await open(t);
      const facts = { contentType: 'image/webp', expiresAt: 1_700_604_800_000, uploader: 'romeo@example.org' };
      await store.put(key('slot/photo.jpg'), incoming(Buffer.from('12345'), facts));
      const upload = await store.open(key('slot/photo.jpg'));
      upload?.close();
      assert.deepEqual(
        [upload?.size, upload?.contentType, upload?.expiresAt, idOf(upload)],
        [5, 'image/webp', 1_700_604_800_000, uploaderIds.idOf('romeo@example.org')],
      );
    });

    it('refuses a taken key before it reads a large body, and leaves the upload unchanged', async (t) => {
      const { store, contents } = await open(t);
      await store.put(key('slot/f'), incoming(Buffer.from('first')));
      const before = await contents();
      const openBody = () => assert.fail('the body was asked for');
      const other = Buffer.alloc(100_000);
      await assert.rejects(store.put(key('slot/f'), incoming(other, { openBody })), {
        code: 'KEY_TAKEN',
      });
      assert.equal((await readBack(store, 'slot/f')).toString(), 'first');
      assert.deepEqual(await contents(), before);
    });

    it(`stores ${isExclusive ? 'exactly' : 'at least'} one of racing uploads, with its own facts`, async (t) => {
      const { store, contents } = await open(t);
      const types = Array.from({ length: 20 }, (_, index) => `image/x-${index}`);
      const results = await Promise.allSettled(
        types.map((contentType) =>
          store.put(key('slot/f'), incoming(Buffer.from(contentType.padEnd(99)), { contentType })),
        ),
      );
      const stored = results.filter(({ status }) => status === 'fulfilled').length;
      assert.ok(isExclusive ? stored === 1 : stored >= 1, `${stored} were stored`);
      for (const result of results) {
        if (result.status === 'rejected') assert.equal(result.reason.code, 'KEY_TAKEN');
      }
      const winner = (await readBack(store, 'slot/f')).toString().trim();
      const upload = await store.open(key('slot/f'));
      upload?.close();
      assert.equal(upload?.contentType, winner);
      await store.delete(key('slot/f'));
      assert.deepEqual(await contents(), []);
    });

    const broken: Record<string, () => Readable> = {
      'ends early': () => Readable.from([Buffer.from('123')], { objectMode: false }),
      'runs over': () => Readable.from([Buffer.alloc(600_000)], { objectMode: false }),
      'breaks off': () => {
        const body = new PassThrough();
        body.write('123');
        setImmediate(() => body.destroy());
        return body;
      },
      fails: () => {
        const body = new PassThrough();
        body.write(Buffer.alloc(100_000));
        setImmediate(() => body.destroy(new Error('connection reset')));
        return body;
      },
      'is gone already': () => new PassThrough().destroy(),
    };
    for (const [what, openBody] of Object.entries(broken)) {
      it(`leaves nothing of a body that ${what}, and the slot can be retried`, async (t) => {
        const { store, contents } = await open(t);
        const bytes = randomBytes(500_000);
        const facts = { contentType: 'image/webp', uploader: 'romeo@example.org' };
        await assert.rejects(store.put(key('slot/f'), incoming(bytes, { ...facts, openBody })), {
          code: 'BODY_INCOMPLETE',
        });
        assert.deepEqual(await contents(), []);
        assert.equal(await isStored(store, 'slot/f'), false);
        await store.put(key('slot/f'), incoming(bytes, facts));
        assert.ok((await readBack(store, 'slot/f')).equals(bytes));
      });
    }

    it('throws the error of the body if that has a code, and leaves nothing', async (t) => {
      const { store, contents } = await open(t);
      const openBody = () => {
        const body = new PassThrough();
        body.write(Buffer.alloc(100_000));
        // A request does so if its connection stays open for the answer.
        setTimeout(() => body.emit('error', new FilerError('UPLOAD_TOO_SLOW', 'too slow')), 20);
        return body;
      };
      await assert.rejects(store.put(key('slot/f'), incoming(Buffer.alloc(500_000), { openBody })), {
        code: 'UPLOAD_TOO_SLOW',
      });
      assert.deepEqual(await contents(), []);
    });

    for (const name of [
      '日本語 résumé+plus&amp%41.pdf',
      'a#b?c;d=e.html',
      '...',
      '-rf',
      ' ',
      'x'.repeat(255),
      '\\',
      '\'"`$',
    ]) {
      const isRefused = refusedNames.test(name);
      it(`${isRefused ? 'refuses' : 'stores under'} the name ${name.slice(0, 40)}`, async (t) => {
        const { store, contents } = await open(t);
        if (isRefused) {
          await assert.rejects(store.put(key(`slot/${name}`), incoming(Buffer.from(name))), { code: 'KEY_INVALID' });
          assert.deepEqual(await contents(), []);
          return;
        }
        await store.put(key(`slot/${name}`), incoming(Buffer.from(name)));
        assert.equal((await readBack(store, `slot/${name}`)).toString(), name);
      });
    }
  });

  describe(`${name}: opening`, () => {
    it('finds no upload in an empty place', async (t) => {
      const { store } = await open(t);
      await store.put(key('slot/f'), incoming(Buffer.from('x')));
      for (const path of ['slot', 'slot/g', 'other/f', 'slot/f/g'])
        assert.equal(await isStored(store, path), false, path);
    });

    it('writes any part', async (t) => {
      const { store } = await open(t);
      const bytes = randomBytes(1_500_000);
      await store.put(key('slot/f'), incoming(bytes));
      for (const [first, last] of [
        [0, 0],
        [10, 20],
        [1_000_000, 1_499_999],
        [1, 1_499_998],
      ] as const) {
        assert.ok((await readBack(store, 'slot/f', { first, last })).equals(bytes.subarray(first, last + 1)));
      }
    });

    it('writes no faster than the sink reads', async (t) => {
      const { store } = await open(t);
      await store.put(key('slot/f'), incoming(randomBytes(5_000_000)));
      const upload = await store.open(key('slot/f'));
      let offered = 0;
      let take = () => {};
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          offered += chunk.length;
          take = done;
        },
      });
      const written = upload?.writeTo(sink);
      // Long enough for bytes that must not come.
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(offered + sink.writableLength <= 1024 * 1024, `${offered} bytes are in memory`);
      sink._write = (_chunk, _encoding, done) => done();
      take();
      await written;
    });

    it('stops when the sink closes', async (t) => {
      const { store } = await open(t);
      await store.put(key('slot/f'), incoming(randomBytes(5_000_000)));
      const upload = await store.open(key('slot/f'));
      const sink = new Writable({ write: () => setImmediate(() => sink.destroy()) });
      await assert.rejects(async () => upload?.writeTo(sink), { code: 'BODY_INCOMPLETE' });
    });

    it('gives a strong entity tag that differs for other content', async (t) => {
      const { store } = await open(t);
      const tags = await Promise.all(
        ['a', 'bb'].map(async (text) => {
          await store.put(key(`slot/${text}`), incoming(Buffer.from(text)));
          const upload = await store.open(key(`slot/${text}`));
          upload?.close();
          return upload?.etag ?? '';
        }),
      );
      for (const tag of tags) assert.match(tag, /^"[^"]+"$/);
      assert.notEqual(tags[0], tags[1]);
    });
  });

  describe(`${name}: deleting`, () => {
    it('removes all of an upload and frees its key', async (t) => {
      const { store, contents } = await open(t);
      const facts = { contentType: 'image/webp' };
      await store.put(key('slot/f'), incoming(Buffer.from('x'), facts));
      await store.delete(key('slot/f'));
      assert.equal(await isStored(store, 'slot/f'), false);
      assert.deepEqual(await contents(), []);
      await store.put(key('slot/f'), incoming(Buffer.from('y'), facts));
    });

    it('blocks the slot for the replay window', async (t) => {
      const { store, contents } = await open(t, { replayWindowMs: 60_000 });
      await store.put(key('slot/f'), incoming(Buffer.from('x')));
      assert.equal(await store.wasDeleted(key('slot/f')), false);
      await store.delete(key('slot/f'));
      assert.equal(await store.wasDeleted(key('slot/f')), true);
      assert.equal(await store.wasDeleted(key('slot/g')), false);
      const before = await contents();
      const openBody = () => assert.fail('the body was asked for');
      for (const replay of [incoming(Buffer.from('x')), incoming(Buffer.alloc(100_000), { openBody })]) {
        await assert.rejects(store.put(key('slot/f'), replay), { code: 'KEY_TAKEN' });
      }
      assert.deepEqual(await contents(), before);
      assert.equal(await isStored(store, 'slot/f'), false);
      await store.put(key('slot/g'), incoming(Buffer.from('y')));
    });

    it('remembers what an uploader sent today', async (t) => {
      const { store } = await open(t, { replayWindowMs: 60_000 });
      const facts = { uploader: 'romeo@example.org' };
      await store.put(key('slot/f'), incoming(Buffer.from('12345'), facts));
      await store.put(key('slot/unknown'), incoming(Buffer.from('x')));
      await store.put(key('slot/kept'), incoming(Buffer.from('x'), facts));
      for (const name of ['slot/f', 'slot/unknown']) await store.delete(key(name));
      const deleted = [];
      for await (const { modifiedAt, uploader, ...upload } of store.tidy()) {
        assert.ok(Math.abs(Date.now() - modifiedAt) < 10_000);
        deleted.push({ ...upload, uploader: idOf({ uploader }) });
      }
      assert.deepEqual(deleted, [{ key: 'slot/f', size: 5, uploader: idOf(facts) }]);
    });

    it('frees the slot after the replay window', async (t) => {
      const { store } = await open(t, { replayWindowMs: 1000 });
      await store.put(key('slot/f'), incoming(Buffer.from('x')));
      await store.delete(key('slot/f'));
      await eventually(async () => !(await store.wasDeleted(key('slot/f'))));
      assert.equal(await store.wasDeleted(key('slot/f')), false);
      await store.put(key('slot/f'), incoming(Buffer.from('y')));
      assert.equal((await readBack(store, 'slot/f')).toString(), 'y');
    });

    it('leaves the other uploads of a slot', async (t) => {
      const { store } = await open(t);
      for (const path of ['slot/f', 'slot/g']) await store.put(key(path), incoming(Buffer.from(path)));
      await store.delete(key('slot/f'));
      assert.equal((await readBack(store, 'slot/g')).toString(), 'slot/g');
    });

    it('says which upload was removed, or that there was no upload', async (t) => {
      const { store } = await open(t);
      const facts = { uploader: 'romeo@example.org' };
      await store.put(key('slot/f'), incoming(Buffer.from('12345'), facts));
      const deleted = await store.delete(key('slot/f'));
      assert.deepEqual([deleted?.key, deleted?.size, deleted && idOf(deleted)], ['slot/f', 5, idOf(facts)]);
      assert.ok(Math.abs(Date.now() - (deleted?.modifiedAt ?? 0)) < 10_000);
      assert.equal(await store.delete(key('slot/f')), undefined);
    });
  });

  describe(`${name}: listing`, () => {
    const listed = async (store: Store) => {
      const uploads = [];
      for await (const upload of store.list()) uploads.push(upload);
      return uploads.sort((a, b) => (a.key < b.key ? -1 : 1));
    };

    it('finds no upload in an empty place', async (t) => {
      const { store } = await open(t);
      assert.deepEqual(await listed(store), []);
    });

    it('finds every upload, at any depth, with its facts', async (t) => {
      const { store } = await open(t);
      const ejabberds = `${'0123456789'.repeat(4)}/slot/f.png`;
      const facts = { contentType: 'image/webp', expiresAt: 1_700_604_800_000, uploader: 'romeo@example.org' };
      await store.put(key('slot/f.jpg'), incoming(Buffer.from('12345'), facts));
      await store.put(key('slot/日本語 %41.txt'), incoming(Buffer.alloc(0), { contentType: 'text/plain' }));
      const hash = ejabberds.slice(0, 40);
      await store.put(key(ejabberds), incoming(Buffer.from('1'), { contentType: 'image/png', uploader: hash }));
      await store.put(key('gone/f'), incoming(Buffer.from('x'), facts));
      await store.delete(key('gone/f'));
      const uploads = await listed(store);
      assert.deepEqual(
        uploads.map(({ key, size, contentType, expiresAt, ...facts }) => [
          key,
          size,
          contentType,
          expiresAt,
          idOf(facts),
        ]),
        [
          [ejabberds, 1, 'image/png', undefined, hash],
          ['slot/f.jpg', 5, 'image/webp', 1_700_604_800_000, uploaderIds.idOf('romeo@example.org')],
          ['slot/日本語 %41.txt', 0, 'text/plain', undefined, undefined],
        ],
      );
      for (const upload of uploads) {
        const opened = await store.open(upload.key);
        opened?.close();
        assert.equal(upload.modifiedAt, opened?.modifiedAt);
      }
    });

    it('names the uploaders if asked for them', async (t) => {
      const { store } = await open(t);
      for (let count = 0; count < 40; count += 1) {
        const facts = count === 7 ? {} : { uploader: `u${count}@example.org` };
        await store.put(key(`slot${count}/f`), incoming(Buffer.from('x'), facts));
      }
      const found = new Map<string, string | undefined>();
      for await (const upload of store.list({ withUploaders: true })) found.set(upload.key, idOf(upload));
      assert.equal(found.size, 40);
      for (const [path, uploader] of found) {
        const number = path.slice('slot'.length, path.indexOf('/'));
        assert.equal(uploader, number === '7' ? undefined : uploaderIds.idOf(`u${number}@example.org`));
      }
    });

    it("finds one uploader's uploads, whether path, sidecar or metadata name the uploader, by any of the ids", async (t) => {
      const { store } = await open(t);
      const romeos: Record<string, string> = {
        [`${ids.ofMysecret}/slot/f.png`]: ids.ofMysecret,
        [`${ids.ofMysecret}/slot/again.png`]: ids.ofMysecret,
        [`${ids.ofOldSecret}/slot/f.png`]: ids.ofOldSecret,
        [`${ids.ofEjabberd}/slot/f.png`]: ids.ofEjabberd,
        'bearer/f.txt': 'romeo@example.org',
        'olderBearer/f.txt': ids.ofOldSecret,
      };
      const others: Record<string, string | undefined> = {
        [`${'0123456789'.repeat(4)}/slot/f.png`]: '0123456789'.repeat(4),
        [`${ids.ofMysecret}/f.png`]: undefined,
        [`${ids.ofMysecret}/slot/deeper/f.png`]: undefined,
        'slot/f.txt': 'juliet@example.org',
        'nobodys/f.txt': undefined,
      };
      for (const [path, uploader] of Object.entries({ ...romeos, ...others, 'gone/f': 'romeo@example.org' })) {
        await store.put(key(path), incoming(Buffer.from(path), { uploader }));
      }
      await store.delete(key('gone/f'));
      const of = new UploaderIds([secret, 'old-secret']).filterOf('Romeo@example.org/balcony');
      const found: string[] = [];
      for await (const upload of store.list({ of })) {
        assert.ok(of.includes(upload.uploader) && upload.size === upload.key.length);
        found.push(upload.key);
      }
      assert.deepEqual(found.sort(), Object.keys(romeos).sort());
    });

    it('survives uploads that are stored and deleted meanwhile', async (t) => {
      const { store } = await open(t);
      const keys = Array.from({ length: 50 }, (_, index) => key(`slot${index}/f`));
      for (const name of keys) await store.put(name, incoming(Buffer.from('x')));
      const found = new Set<string>();
      for await (const upload of store.list()) {
        found.add(upload.key);
        await store.delete(key(upload.key));
        await store.delete(keys[found.size + 10] ?? key('none/f'));
        await store.put(key(`new${found.size}/f`), incoming(Buffer.from('x')));
        if (found.size === 100) break;
      }
      assert.ok(found.size >= 25);
    });
  });

  describe(`${name}: checking`, () => {
    it('finds nothing wrong, and leaves nothing', async (t) => {
      const { store, contents } = await open(t);
      await Promise.all([store.check(), store.check()]);
      assert.deepEqual(await contents(), []);
    });

    it(isLimited ? 'gives the free space' : 'gives no free space', async (t) => {
      const { store } = await open(t);
      const freeBytes = await store.freeBytes?.();
      assert.ok(isLimited ? freeBytes !== undefined && freeBytes > 0 : freeBytes === undefined);
    });
  });
}
