import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CorsGrant, downloadNeeds, missingFor, uploadNeeds } from '../../src/diagnosis/cors.js';

const all: CorsGrant = { isForAllSites: true, methods: ['*'], headers: ['*'], exposed: ['*'] };
const none: CorsGrant = { isForAllSites: false, methods: [], headers: [], exposed: [] };

describe('what web clients need and are not allowed', () => {
  it('is nothing where all is allowed, by name in any letter case or by *', () => {
    assert.deepEqual(missingFor(downloadNeeds, all), []);
    assert.deepEqual(missingFor(uploadNeeds, { ...all, methods: ['put'], headers: ['CONTENT-TYPE'] }), []);
  });

  it('is each thing that is not named', () => {
    const reading = ['reading Content-Length', 'reading Content-Range', 'reading ETag'];
    const methods = ['the method GET', 'the method HEAD'];
    assert.deepEqual(missingFor(downloadNeeds, none), ['all origins (*)', ...methods, 'the header Range', ...reading]);
    assert.deepEqual(missingFor(uploadNeeds, { ...all, methods: ['GET'] }), ['the method PUT']);
  });

  it('is Authorization, which * does not allow', () => {
    const needs = { ...uploadNeeds, headers: ['Authorization', 'Content-Type'] };
    assert.deepEqual(missingFor(needs, all), ['the header Authorization']);
  });
});
