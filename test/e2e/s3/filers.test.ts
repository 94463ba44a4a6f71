import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { missingPeer } from '../../support/peers.js';
import { startOnBucket } from '../../support/s3-program.js';
import { beginPut, get, put } from '../../support/uploading.js';

describe('S3: several filers on one bucket', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function startTwo(t: TestContext) {
    const peer = await ceph();
    const secret = 'mysecret';
    const one = await startOnBucket(t, peer, { secret });
    return { one, other: await startOnBucket(t, peer, { secret, s3: { bucket: one.bucket } }) };
  }

  it('answer 201 to exactly one of the uploads that race for a slot', async (t) => {
    const { one, other } = await startTwo(t);
    const filers = [one, other, one, other];
    for (let round = 0; round < 25; round += 1) {
      const bodies = filers.map((_, index) => Buffer.alloc(50_000, `${round}-${index}.`));
      const answers = await Promise.all(
        filers.map((filer, index) => put(filer, `s/${round}`, bodies[index] ?? Buffer.of())),
      );
      const statuses = answers.map(({ status }) => status);
      assert.deepEqual([...statuses].sort(), [201, 409, 409, 409]);
      const winner = bodies[statuses.indexOf(201)];
      for (const filer of [one, other]) assert.deepEqual((await get(filer, `s/${round}`)).body, winner);
    }
    assert.equal((await one.contents()).length, 25);
  });

  it('serve the uploads of a killed one, and accept its unfinished slot', async (t) => {
    const { one, other } = await startTwo(t);
    const body = randomBytes(2_000_000);
    assert.equal((await put(one, 's/first', body)).status, 201);
    await beginPut(t, one, 's/f', body.length, body.subarray(0, 1_500_000));
    // Until the gateway has a part of it.
    await wait(300);
    await one.stop('SIGKILL');
    assert.ok((await get(other, 's/first')).body.equals(body));
    assert.equal((await get(other, 's/f')).status, 404);
    assert.equal((await put(other, 's/f', body)).status, 201);
    assert.ok((await get(other, 's/f')).body.equals(body));
    assert.deepEqual(await other.contents(), ['s/f', 's/first']);
  });
});
