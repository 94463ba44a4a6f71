import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { openStore, probeStore } from '../../src/storage/open-store.js';
import { missingExfat, mountExfat } from '../support/exfat-disk.js';
import { shared } from '../support/shared.js';
import { describeStore, incoming, key, readBack } from '../support/store-contract.js';
import { filesIn } from '../support/tree.js';

const disk = shared(mountExfat);

async function open({ replayWindowMs = 0, isDurable = true, storeDir = '' } = {}) {
  const folder = storeDir === '' ? await (await disk())() : storeDir;
  const tombstonePhase = tombstonePhases(replayWindowMs);
  const { store, warnings } = await openStore({ isDurable, stallTimeoutMs: 60_000, tombstonePhase, storeDir: folder });
  return { store, warnings, storeDir: folder, contents: () => filesIn(folder) };
}

if (missingExfat === undefined) {
  describeStore('the disk store on exFAT', (_t, options) => open({ ...options, isDurable: false }), {
    refusedNames: /["*:<>?\\|]/,
  });
}

describe('a store without hard links (exFAT)', { skip: missingExfat }, () => {
  it('is opened with one warning that says what may be replaced and which names are refused', async () => {
    const { warnings, storeDir, contents } = await open();
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? '',
      /^storeDir: its filesystem has no hard links \(EPERM\), .*another program .*refuses some names/,
    );
    assert.deepEqual(await probeStore(storeDir), warnings);
    assert.deepEqual(await contents(), []);
  });

  it('stores exactly one of the uploads that several processes race to the same key', async () => {
    const first = await open();
    const stores = [first, ...(await Promise.all(Array.from({ length: 7 }, () => open(first))))];
    for (let round = 0; round < 5; round += 1) {
      const slot = key(`slot${round}/f`);
      const results = await Promise.allSettled(
        stores.map(({ store }, i) => store.put(slot, incoming(Buffer.from(`${i}`)))),
      );
      const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [String(index)] : []));
      assert.deepEqual([(await readBack(first.store, slot)).toString()], winners);
      for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'KEY_TAKEN');
    }
    assert.equal((await first.contents()).length, 5);
  });

  it('replaces no file that was there before', async () => {
    const { store, storeDir } = await open();
    await mkdir(path.join(storeDir, 'slot'));
    await writeFile(path.join(storeDir, 'slot/f'), 'by hand');
    await assert.rejects(store.put(key('slot/f'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
    assert.equal(await readFile(path.join(storeDir, 'slot/f'), 'utf8'), 'by hand');
  });

  it('keeps what a path cannot say at an even second, which FAT keeps too', async () => {
    const { store, storeDir } = await open();
    await store.put(key('slot/f'), incoming(Buffer.from('x'), { contentType: 'image/png' }));
    assert.equal((await stat(path.join(storeDir, 'slot/f'))).mtimeMs % 2000, 0);
  });

  it('says that a name is refused by the filesystem', async () => {
    const { store, contents } = await open();
    await assert.rejects(store.put(key('slot/12:30.png'), incoming(Buffer.from('x'))), {
      code: 'KEY_INVALID',
      message: /does not allow this name/,
    });
    assert.deepEqual(await contents(), []);
  });

  it('frees a slot a minute after a crash in the middle of a publication, and its sweep removes the claim', async () => {
    const { store, storeDir, contents } = await open();
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    await store.delete(key('slot/f'));
    const claims = path.join(storeDir, '.prosody-filer/claims');
    const [prefix = ''] = await readdir(claims);
    const claim = path.join(claims, prefix, createHash('sha256').update('slot/f').digest('hex'));
    await writeFile(claim, '');
    await assert.rejects(store.put(key('slot/f'), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
    const then = Date.now() / 1000 - 90;
    await utimes(claim, then, then);
    await store.put(key('slot/f'), incoming(Buffer.from('x')));
    await writeFile(claim, '');
    await utimes(claim, then, then);
    for await (const _ of store.tidy()) assert.fail('no upload was deleted');
    assert.deepEqual(await contents(), ['slot/f']);
  });
});
