import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { openS3Store } from '../../src/storage/s3/open-s3-store.js';
import { eventually } from '../support/eventually.js';
import { missingPeer } from '../support/peers.js';
import { optionsFor } from '../support/s3-service.js';
import { describeStore, incoming, key, readBack } from '../support/store-contract.js';
import { sharedSwift, swiftPrograms } from '../support/swift.js';
import { uploaderIds } from '../support/uploader-ids.js';

describe('a bucket of Swift, which does not support If-None-Match', { skip: missingPeer(...swiftPrograms) }, () => {
  const swift = sharedSwift();

  async function open(_t: TestContext, { replayWindowMs = 0 } = {}) {
    const peer = await swift();
    const bucket = await peer.createBucket();
    const s3 = optionsFor(peer, bucket);
    const { store, warnings } = await openS3Store({
      s3,
      tombstonePhase: tombstonePhases(replayWindowMs),
      stallTimeoutMs: 60_000,
      uploaderIds,
    });
    return { store, warnings, contents: () => peer.keysIn(bucket) };
  }

  describeStore('S3 without If-None-Match', open, { isExclusive: false, isLimited: false });

  it('is opened with a warning, and nothing is left of the probe', async (t) => {
    const { warnings, contents } = await open(t);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', /^s3: this service does not support If-None-Match: .* may replace the other$/);
    assert.deepEqual(await contents(), []);
  });

  it('keeps one of two racing uploads completely, whatever becomes of a third one', async (t) => {
    const { store, contents } = await open(t);
    const uploads = ['image/a', 'image/b', 'image/c'].map((contentType) => ({
      contentType,
      bytes: Buffer.alloc(2_000_000, contentType),
      body: new PassThrough(),
    }));
    let begun = 0;
    const put = async ({ contentType, bytes, body }: (typeof uploads)[number]) => {
      const openBody = () => {
        begun += 1;
        return body;
      };
      await store.put(key('slot/f'), incoming(bytes, { contentType, openBody }));
    };
    const [first, second, third] = uploads.map(put);
    await eventually(() => begun === uploads.length);
    for (const { body, bytes } of uploads.slice(0, 2)) body.end(bytes);
    uploads[2]?.body.write(Buffer.alloc(100_000));
    await Promise.all([first, second]);
    uploads[2]?.body.destroy();
    await assert.rejects(async () => third, { code: 'BODY_INCOMPLETE' });
    const upload = await store.open(key('slot/f'));
    upload?.close();
    const winner = uploads.slice(0, 2).find(({ contentType }) => contentType === upload?.contentType);
    assert.ok(winner && (await readBack(store, 'slot/f')).equals(winner.bytes));
    assert.deepEqual(await contents(), ['some/path/slot/f']);
  });
});
