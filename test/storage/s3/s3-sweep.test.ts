import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { compileRetention, type RetentionSettings } from '../../../src/retention/expiry.js';
import { openRetention } from '../../../src/retention/open-retention.js';
import { tombstonePhases } from '../../../src/retention/tombstone-phase.js';
import { openS3Store } from '../../../src/storage/s3/open-s3-store.js';
import { dayMs } from '../../../src/units.js';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { noLimits } from '../../support/no-limits.js';
import { missingPeer } from '../../support/peers.js';
import { startS3Proxy } from '../../support/s3-proxy.js';
import { optionsFor, pathInBucket } from '../../support/s3-service.js';
import { incoming, key } from '../../support/store-contract.js';
import { uploaderIds } from '../../support/uploader-ids.js';

describe('S3: a sweep', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  /** Stores uploads of these types, and sweeps after so many days; resolves to the requests for each, by its name. */
  async function sweepAfter(t: TestContext, days: number, settings: RetentionSettings, types: Record<string, string>) {
    const peer = await ceph();
    const proxy = await startS3Proxy(t, peer);
    const s3 = optionsFor(proxy, await peer.createBucket());
    const lifetimes = compileRetention(settings);
    const tombstonePhase = tombstonePhases(dayMs);
    const { store } = await openS3Store({ s3, lifetimes, tombstonePhase, stallTimeoutMs: 60_000, uploaderIds });
    for (const [name, contentType] of Object.entries(types)) {
      await store.put(key(`s/${name}`), incoming(Buffer.from('x'), { contentType }));
    }
    const logger = { info: () => undefined, warn: (line: object) => assert.fail(JSON.stringify(line)) };
    const context = { uploaderIds, logger, now: () => Date.now() + days * dayMs };
    const { sweeper } = openRetention(store, lifetimes, { ...noLimits, evictMinAgeMs: 0 }, context);
    const before = proxy.requests.length;
    await sweeper.sweep();
    const requests = proxy.requests.slice(before).map((request) => request.split(' '));
    return (name: string) =>
      requests.filter(([, asked]) => asked === `${pathInBucket}s/${name}`).map(([method]) => method);
  }

  const image = { 'f.jpg': 'image/jpeg' };

  it('deletes an expired upload with two requests', async (t) => {
    const requestsOf = await sweepAfter(t, 2, { expiresAfterMs: dayMs, rules: [] }, image);
    assert.deepEqual(requestsOf('f.jpg'), ['HEAD', 'PUT']);
  });

  const rules = [{ contentType: 'video/*', expiresAfterMs: 60 * dayMs }];

  it('asks for the type of an upload first if that decides, and keeps an upload that has not expired', async (t) => {
    const types = { ...image, 'f.bin': 'video/mp4' };
    const requestsOf = await sweepAfter(t, 2, { expiresAfterMs: dayMs, rules }, types);
    assert.deepEqual(requestsOf('f.jpg'), ['HEAD', 'HEAD', 'PUT']);
    assert.deepEqual(requestsOf('f.bin'), ['HEAD']);
  });

  it('does not ask for the type if uploads of every type have expired', async (t) => {
    const requestsOf = await sweepAfter(t, 61, { expiresAfterMs: dayMs, rules }, image);
    assert.deepEqual(requestsOf('f.jpg'), ['HEAD', 'PUT']);
  });
});
