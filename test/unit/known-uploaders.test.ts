import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KnownUploaders } from '../../src/retention/known-uploaders.js';
import { ids, uploaderIds } from '../support/uploader-ids.js';

const jid = 'romeo@example.org';
const all = [ids.ofMysecret, ids.ofEjabberd];

describe('the ids of an uploader', () => {
  it('are found by each of them once the JID was named', () => {
    const known = new KnownUploaders(uploaderIds);
    assert.deepEqual(known.idsOf(ids.ofEjabberd), [ids.ofEjabberd]);
    assert.deepEqual(known.idsOf(jid), all);
    for (const id of all) assert.deepEqual(known.idsOf(id), all);
    assert.deepEqual(known.idsOf(ids.ofOldSecret), [ids.ofOldSecret]);
  });

  it('are remembered for the 15,000 uploaders who were named last', () => {
    const known = new KnownUploaders(uploaderIds);
    known.idsOf(jid);
    const nameOthers = (count: number) => {
      for (let index = 0; index < count; index += 1) known.idsOf(`u${index}@example.org`);
    };
    nameOthers(10_000);
    known.idsOf(jid);
    nameOthers(14_999);
    assert.deepEqual(known.idsOf(ids.ofMysecret), all);
    nameOthers(15_000);
    for (const id of all) assert.deepEqual(known.idsOf(id), [id]);
  });
});
