import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Quotas } from '../../src/retention/quotas.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { quotaTable } from '../support/quota-table.js';
import { ids } from '../support/uploader-ids.js';

const uploaderIds = new UploaderIds(['mysecret', 'old-secret']);
const gateway = 'slidge.example.org';
const tables = ['example.org', 'romeo@example.org', gateway].map((match) => quotaTable(match, { userQuota: 1 }));
const quotas = new Quotas(tables, uploaderIds);
const tableOf = (uploader: string | undefined, quota?: string) => quotas.find({ uploader, quota })?.match;

describe('the table of quotas of an uploader', () => {
  it('is the one of the JID, or else of its domain, in whatever order they stand', () => {
    assert.equal(tableOf('Romeo@Example.org/orchard'), 'romeo@example.org');
    assert.equal(tableOf('juliet@example.org'), 'example.org');
    assert.equal(tableOf('juliet@sub.example.org'), undefined);
    assert.equal(tableOf('juliet@badexample.org'), undefined);
    assert.equal(tableOf(undefined), undefined);
  });

  it('of a gateway is for the gateway itself and for its users', () => {
    assert.equal(tableOf(gateway), gateway);
    assert.equal(tableOf(`+1555@${gateway}/slidge`), gateway);
  });

  it('is found by each id of its JID', () => {
    for (const id of Object.values(ids)) assert.equal(tableOf(id), 'romeo@example.org');
    for (const id of uploaderIds.idsOf(gateway)) assert.equal(tableOf(id), gateway);
    // printf %s @slidge.example.org | sha1sum, as ejabberd hashes a JID without a name.
    assert.equal(tableOf('169fadf2eb0ebd1cfd4d13f9f5a23757cfb5991a'), gateway);
  });

  it('of a domain is found by an id if the token names it, also with an older secret', () => {
    const juliet = uploaderIds.idOf('juliet@example.org');
    assert.equal(tableOf(juliet), undefined);
    assert.equal(tableOf(juliet, quotas.nameFor('juliet@example.org')), 'example.org');
    const before = new Quotas(tables, new UploaderIds(['old-secret'])).nameFor('juliet@example.org');
    assert.equal(tableOf(juliet, before), 'example.org');
    assert.equal(quotas.nameFor('stranger@example.net'), undefined);
    assert.equal(tableOf(ids.ofMysecret, quotas.nameFor('juliet@example.org')), 'romeo@example.org');
  });
});
