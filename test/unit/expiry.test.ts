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
  it('is never without any setting', () => {
    assert.equal(compileRetention({ rules: [] }).expiryOf(upload()), undefined);
  });

  it('is counted from the upload', () => {
    assert.equal(compileRetention({ expiresAfterMs: day, rules: [] }).expiryOf(upload()), uploadedAt + day);
  });

  it('is the expiry of the token if that is earlier', () => {
    const { expiryOf } = compileRetention({ expiresAfterMs: day, rules: [] });
    assert.equal(expiryOf(upload({ expiresAt: uploadedAt + hour })), uploadedAt + hour);
    assert.equal(expiryOf(upload({ expiresAt: uploadedAt + 2 * day })), uploadedAt + day);
    assert.equal(compileRetention({ rules: [] }).expiryOf(upload({ expiresAt: 5 })), 5);
  });

  it('depends on the first rule that matches by name, type or size', () => {
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

  it('depends on the purpose; an upload without one is for a message', () => {
    const rules: RetentionRule[] = [
      { purpose: 'profile', expiresAfterMs: undefined },
      { purpose: 'message', contentType: 'video/*', expiresAfterMs: hour },
      { purpose: 'message', expiresAfterMs: 7 * day },
    ];
    const { expiryOf } = compileRetention({ expiresAfterMs: 28 * day, rules });
    assert.equal(expiryOf(upload({ purpose: 'profile' })), undefined);
    assert.equal(expiryOf(upload({ purpose: 'profile', expiresAt: 5 })), 5);
    assert.equal(expiryOf(upload({ purpose: 'permanent' })), uploadedAt + 28 * day);
    assert.equal(expiryOf(upload({ purpose: 'message' })), uploadedAt + 7 * day);
    assert.equal(expiryOf(upload()), uploadedAt + 7 * day);
    assert.equal(expiryOf(upload({ contentType: 'video/mp4' })), uploadedAt + hour);
  });

  it('is exact to the millisecond', () => {
    assert.equal(isExpired(1000, 999), false);
    assert.equal(isExpired(1000, 1000), true);
    assert.equal(isExpired(undefined, 1000), false);
  });
});

describe('when an upload is due that a listing without type and token would not show', () => {
  it('is its expiry if its type or token decides that', () => {
    const rules = [{ contentType: 'video/*', expiresAfterMs: hour }];
    const { dueAt } = compileRetention({ expiresAfterMs: day, rules });
    assert.equal(dueAt(upload()), undefined);
    assert.equal(dueAt(upload({ contentType: 'video/mp4' })), uploadedAt + hour);
    assert.equal(dueAt(upload({ key: 's/f.mp4', contentType: 'video/webm' })), undefined);
    assert.equal(dueAt(upload({ key: 's/f.mp4', contentType: 'text/plain' })), uploadedAt + day);
    assert.equal(dueAt(upload({ expiresAt: 5 })), 5);
    assert.equal(dueAt(upload({ expiresAt: uploadedAt + 2 * day })), undefined);
    const stories: RetentionRule[] = [{ purpose: 'ephemeral', expiresAfterMs: hour }];
    const byPurpose = compileRetention({ expiresAfterMs: day, rules: stories });
    assert.equal(byPurpose.dueAt(upload({ purpose: 'ephemeral' })), uploadedAt + hour);
    assert.equal(byPurpose.dueAt(upload({ purpose: 'profile' })), undefined);
  });
});

describe('the latest expiry of an upload of unknown type and token', () => {
  const latestAfter = (rules: RetentionRule[], overrides: object = {}) => {
    const latest = compileRetention({ expiresAfterMs: 28 * day, rules }).latestExpiryOf(upload(overrides));
    return Number(latest) - uploadedAt;
  };

  it('is its expiry if no rule names a type', () => {
    assert.equal(latestAfter([]), 28 * day);
    assert.equal(latestAfter([{ match: 'photo*', expiresAfterMs: hour }]), hour);
    assert.equal(compileRetention({ rules: [] }).latestExpiryOf(upload()), undefined);
  });

  it('is the latest that any type would have', () => {
    const video = { contentType: 'video/*', expiresAfterMs: 60 * day };
    assert.equal(latestAfter([video]), 60 * day);
    assert.equal(latestAfter([{ ...video, expiresAfterMs: hour }]), 28 * day);
    assert.equal(latestAfter([{ ...video, largerThan: 1000 }]), 28 * day);
    assert.equal(latestAfter([{ match: 'photo*', expiresAfterMs: hour }, video]), hour);
    assert.equal(latestAfter([video, { match: 'photo*', expiresAfterMs: hour }]), 60 * day);
    assert.equal(compileRetention({ rules: [video] }).latestExpiryOf(upload()), undefined);
    assert.equal(latestAfter([{ purpose: 'profile', expiresAfterMs: 60 * day }]), 60 * day);
    const forEver: RetentionRule[] = [{ purpose: 'profile', expiresAfterMs: undefined }];
    assert.equal(compileRetention({ expiresAfterMs: day, rules: forEver }).latestExpiryOf(upload()), undefined);
  });
});

describe('until when an upload is sure to stay', () => {
  it('is its expiry, or the age at which a full store may evict it, whichever is earlier', () => {
    const settings = { expiresAfterMs: day, rules: [] };
    assert.equal(compileRetention({ ...settings, evictMinAgeMs: hour }).keptUntil(upload()), uploadedAt + hour);
    assert.equal(compileRetention({ ...settings, evictMinAgeMs: 2 * day }).keptUntil(upload()), uploadedAt + day);
    assert.equal(compileRetention({ rules: [] }).keptUntil(upload()), undefined);
  });
});
