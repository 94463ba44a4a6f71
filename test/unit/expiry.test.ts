import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileRetention, isExpired, type RetentionRule } from '../../src/retention/expiry.js';

const hour = 3_600_000;
const day = 24 * hour;
const uploadedAt = 1_700_000_000_000;

function upload(overrides: object = {}) {
  return { key: 's/photo.jpg', size: 1000, contentType: 'image/jpeg', modifiedAt: uploadedAt, ...overrides };
}

describe('when an upload expires', () => {
  it('is never where nothing says so', () => {
    assert.equal(compileRetention({ rules: [] }).expiryOf(upload()), undefined);
  });

  it('counts from the upload', () => {
    assert.equal(compileRetention({ expiresAfterMs: day, rules: [] }).expiryOf(upload()), uploadedAt + day);
  });

  it('is what the token named where that is earlier', () => {
    const { expiryOf } = compileRetention({ expiresAfterMs: day, rules: [] });
    assert.equal(expiryOf(upload({ expiresAt: uploadedAt + hour })), uploadedAt + hour);
    assert.equal(expiryOf(upload({ expiresAt: uploadedAt + 2 * day })), uploadedAt + day);
    assert.equal(compileRetention({ rules: [] }).expiryOf(upload({ expiresAt: 5 })), 5);
  });

  it('is said by the first rule that fits, by name, type or size', () => {
    const rules = [
      { match: 'story_*', expiresAfterMs: hour },
      { contentType: 'video/*', largerThan: 20_000_000, expiresAfterMs: 7 * day },
      { contentType: 'video/*', expiresAfterMs: 60 * day },
    ];
    const { expiryOf } = compileRetention({ expiresAfterMs: 28 * day, rules });
    const after = (overrides: object) => Number(expiryOf(upload(overrides))) - uploadedAt;
    assert.equal(after({}), 28 * day);
    assert.equal(after({ key: 'story_x/photo.jpg' }), 28 * day);
    assert.equal(after({ key: 's/story_1.mp4', contentType: 'video/mp4' }), hour);
    assert.equal(after({ contentType: 'Video/MP4; codecs="avc1"', size: 20_000_001 }), 7 * day);
    assert.equal(after({ contentType: 'video/mp4', size: 20_000_000 }), 60 * day);
    assert.equal(after({ key: 's/.story_1\n*', contentType: 'audio/ogg' }), 28 * day);
  });

  it('is at that very millisecond', () => {
    assert.equal(isExpired(1000, 999), false);
    assert.equal(isExpired(1000, 1000), true);
    assert.equal(isExpired(undefined, 1000), false);
  });
});

describe('when an upload is due of which only key, size and age are known', () => {
  it('is its expiry where that comes of its type or token', () => {
    const rules = [{ contentType: 'video/*', expiresAfterMs: hour }];
    const { dueAt } = compileRetention({ expiresAfterMs: day, rules });
    assert.equal(dueAt(upload()), undefined);
    assert.equal(dueAt(upload({ contentType: 'video/mp4' })), uploadedAt + hour);
    assert.equal(dueAt(upload({ key: 's/f.mp4', contentType: 'video/webm' })), undefined);
    assert.equal(dueAt(upload({ key: 's/f.mp4', contentType: 'text/plain' })), uploadedAt + day);
    assert.equal(dueAt(upload({ expiresAt: 5 })), 5);
    assert.equal(dueAt(upload({ expiresAt: uploadedAt + 2 * day })), undefined);
  });
});

describe('when an upload has expired at the latest, of which only key, size and age are known', () => {
  const latestAfter = (rules: RetentionRule[], overrides: object = {}) => {
    const latest = compileRetention({ expiresAfterMs: 28 * day, rules }).latestExpiryOf(upload(overrides));
    return Number(latest) - uploadedAt;
  };

  it('is its expiry where no rule names a type', () => {
    assert.equal(latestAfter([]), 28 * day);
    assert.equal(latestAfter([{ match: 'photo*', expiresAfterMs: hour }]), hour);
    assert.equal(compileRetention({ rules: [] }).latestExpiryOf(upload()), undefined);
  });

  it('is the latest that a rule gives to any type', () => {
    const video = { contentType: 'video/*', expiresAfterMs: 60 * day };
    assert.equal(latestAfter([video]), 60 * day);
    assert.equal(latestAfter([{ ...video, expiresAfterMs: hour }]), 28 * day);
    assert.equal(latestAfter([{ ...video, largerThan: 1000 }]), 28 * day);
    assert.equal(latestAfter([{ match: 'photo*', expiresAfterMs: hour }, video]), hour);
    assert.equal(latestAfter([video, { match: 'photo*', expiresAfterMs: hour }]), 60 * day);
    assert.equal(compileRetention({ rules: [video] }).latestExpiryOf(upload()), undefined);
  });
});

describe('until when an upload is sure to stay', () => {
  it('is the earlier one of its expiry and the age at which a full store may remove it', () => {
    const settings = { expiresAfterMs: day, rules: [] };
    assert.equal(compileRetention({ ...settings, evictMinAgeMs: hour }).keptUntil(upload()), uploadedAt + hour);
    assert.equal(compileRetention({ ...settings, evictMinAgeMs: 2 * day }).keptUntil(upload()), uploadedAt + day);
    assert.equal(compileRetention({ rules: [] }).keptUntil(upload()), undefined);
  });
});
