import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { get as fetch, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cephPrograms, sharedCeph } from '../support/ceph.js';
import { missingPeer } from '../support/peers.js';
import { startOnBucket } from '../support/s3-program.js';
import { pathInBucket } from '../support/s3-service.js';
import { put } from '../support/uploading.js';

const mebibyte = 1024 * 1024;
const keys = Array.from({ length: 10 }, (_, index) => `s/${index}`);

/** The MD5 of a download that is read 10 MiB at a time, with pauses. */
async function takeSlowly(url: string): Promise<string> {
  const [response]: IncomingMessage[] = await once(fetch(url, { agent: false }), 'response');
  assert.equal(response?.statusCode, 200);
  const hash = createHash('md5');
  let taken = 0;
  for await (const chunk of response ?? []) {
    hash.update(chunk);
    taken += chunk.length;
    if (taken < 10 * mebibyte) continue;
    taken = 0;
    await wait(100);
  }
  return hash.digest('hex');
}

describe('S3: ten transfers of 100 MiB at once', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  it('go up, and down to slow clients, whole and in little memory', async (t) => {
    const peer = await ceph();
    const program = await startOnBucket(t, peer);
    const body = randomBytes(100 * mebibyte);
    const hash = createHash('md5').update(body).digest('hex');
    const answers = await Promise.all(keys.map((key) => put(program, key, body)));
    assert.ok(answers.every(({ status }) => status === 201));
    const { peak } = await program.memory();
    assert.ok(peak < 250, `${peak} MiB while they went up`);
    for (const key of keys) assert.equal((await peer.headOf(program.bucket, pathInBucket + key))?.ETag, `"${hash}"`);

    const hashes = await Promise.all(keys.map((key) => takeSlowly(program.uploadUrl + key)));
    assert.deepEqual(new Set(hashes), new Set([hash]));
    const { peak: peakAfter } = await program.memory();
    t.diagnostic(`peak ${Math.round(peak)} MiB up, ${Math.round(peakAfter)} MiB down`);
    assert.ok(peakAfter < 300, `${peakAfter} MiB while they went down`);
  });
});
