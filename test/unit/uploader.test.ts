import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isUploaderId, UploaderIds } from '../../src/upload/uploader.js';
import { ids } from '../support/uploader-ids.js';

const jid = 'romeo@example.org';

describe('the id of an uploader', () => {
  it('is keyed with the HKDF of the first secret', () => {
    assert.equal(new UploaderIds(['mysecret', 'old-secret']).idOf(jid), ids.ofMysecret);
    assert.equal(new UploaderIds(['old-secret', 'mysecret']).idOf(jid), ids.ofOldSecret);
  });

  it('is that of the bare JID in lower case', () => {
    const uploaderIds = new UploaderIds(['mysecret']);
    assert.equal(uploaderIds.idOf('Romeo@Example.org/phone'), ids.ofMysecret);
    assert.deepEqual(uploaderIds.idsOf('Romeo@Example.org/phone'), uploaderIds.idsOf(jid));
  });

  it('is the same for both Unicode forms of a name (RFC 7622 §3.3: NFC)', () => {
    const uploaderIds = new UploaderIds(['mysecret']);
    assert.deepEqual(uploaderIds.idsOf('Rene\u0301@example.org'), uploaderIds.idsOf('ren\u00e9@example.org'));
  });

  it('has variants: one for each secret, and the SHA-1 of ejabberd', () => {
    assert.deepEqual(new UploaderIds(['mysecret']).idsOf(jid), [ids.ofMysecret, ids.ofEjabberd]);
    const all = [ids.ofMysecret, ids.ofOldSecret, ids.ofEjabberd];
    assert.deepEqual(new UploaderIds(['mysecret', 'old-secret', 'mysecret']).idsOf(jid), all);
  });

  it('has more variants for names that ejabberd writes into paths', () => {
    const uploaderIds = new UploaderIds(['mysecret'], 'example.org');
    const inPath = uploaderIds.idOf('o_brien_1@example.org');
    assert.ok(uploaderIds.idsOf("o'brien+1@example.org").includes(inPath));
    assert.ok(!uploaderIds.idsOf("o'brien+1@example.net").includes(inPath));
    assert.deepEqual(uploaderIds.idsOf(jid), [ids.ofMysecret, ids.ofEjabberd]);
  });

  it('is its own id', () => {
    const uploaderIds = new UploaderIds(['mysecret']);
    for (const id of Object.values(ids)) {
      assert.ok(isUploaderId(id));
      assert.deepEqual([uploaderIds.idOf(id), uploaderIds.idsOf(id)], [id, [id]]);
    }
    for (const other of [jid, ids.ofMysecret.slice(1), `${ids.ofEjabberd}0`, ids.ofEjabberd.toUpperCase(), '']) {
      assert.ok(!isUploaderId(other), other);
    }
  });
});

describe('the uploads of one user', () => {
  const inUrl = new UploaderIds(['mysecret'], 'example.org');

  it('are never those of another, even if ejabberd writes both names alike', () => {
    for (const [user, other] of [
      ['a+b@example.org', 'a_b@example.org'],
      ['a_b@example.org', 'a+b@example.org'],
    ] as const) {
      const { folders, includes } = inUrl.filterOf(user);
      assert.ok(includes(user) && includes(inUrl.idOf(user)));
      assert.ok(!includes(other) && !includes(inUrl.idOf(other)));
      assert.ok(!folders.includes('a_b') && !folders.includes(inUrl.idOf(other)));
    }
  });

  it('are in the folder of a name that can only be theirs, and never outside of storeDir or in the reserved folder', () => {
    assert.ok(inUrl.filterOf(jid).folders.includes('romeo'));
    assert.ok(!new UploaderIds(['mysecret']).filterOf(jid).folders.includes('romeo'));
    assert.ok(!inUrl.filterOf('romeo@example.net').folders.includes('romeo'));
    for (const name of ['..', '.', '', '.prosody-filer', 'a/../..', '...']) {
      const { folders } = inUrl.filterOf(`${name}@example.org`);
      for (const folder of folders) assert.match(folder, /^[0-9a-f]+$/, name);
    }
  });
});
