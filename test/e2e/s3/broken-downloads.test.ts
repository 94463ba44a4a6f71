import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { send } from '../../support/http-client.js';
import { missingPeer } from '../../support/peers.js';
import { connectTo } from '../../support/raw-socket.js';
import { startOnBucket } from '../../support/s3-program.js';
import { type Meddling, startS3Proxy } from '../../support/s3-proxy.js';
import { pathInBucket } from '../../support/s3-service.js';
import { get, put } from '../../support/uploading.js';

const body = randomBytes(500_000);

// The proxy refuses single GETs, changes objects between HEAD and GET, and breaks answers off: none of that can be timed in Ceph.
describe('S3: broken downloads', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph({ isKilled: true });

  async function start(t: TestContext) {
    const peer = await ceph();
    const proxy = await startS3Proxy(t, peer);
    const program = await startOnBucket(t, peer, { s3: { endpointUrl: proxy.endpoint } });
    assert.equal((await put(program, 's/f', body)).status, 201);
    const place = { Bucket: program.bucket, Key: `${pathInBucket}s/f` };
    /** Meddles with the GETs of the object. */
    const meddle = (act: (count: number) => Promise<Meddling | undefined> | Meddling | undefined) => {
      let count = 0;
      proxy.meddle = ({ method, query }) => {
        if (method !== 'GET' || query.has('list-type')) return undefined;
        count += 1;
        return act(count);
      };
    };
    const reasonOf = async (status: number) => {
      const { reason } = await program.waitForLog((line) => line['method'] === 'GET' && line['status'] === status);
      return String(reason);
    };
    return { peer, program, proxy, place, meddle, reasonOf };
  }

  for (const [what, meddling, status, reason] of [
    ['too busy', { refuse: { status: 503, code: 'SlowDown' } }, 503, /^S3 GET: 503 SlowDown no$/],
    ['refused', { refuse: { status: 403, code: 'AccessDenied' } }, 502, /^S3 GET: 403 AccessDenied no: this key may/],
    ['cut', { cutAfter: 0 }, 503, /^S3 GET: .*(ECONNRESET|hang up)/],
  ] as const) {
    it(`a GET that is ${what} before its first byte is ${status} with all headers and the reason in the log`, async (t) => {
      const { program, meddle, reasonOf } = await start(t);
      meddle(() => meddling);
      const answer = await get(program, 's/f');
      assert.equal(answer.status, status);
      assert.match(answer.body.toString(), /^The server .*\.\n$/);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['retry-after'], status === 503 ? '5' : undefined);
      assert.match(await reasonOf(status), reason);
      meddle(() => undefined);
      assert.ok((await get(program, 's/f')).body.equals(body));
    });
  }

  it('an upload deleted after its HEAD is 410; one whose object was removed is 404', async (t) => {
    const { peer, program, meddle, place } = await start(t);
    const tombstone = { ...place, Body: 'This upload was deleted.\n', Metadata: { 'was-deleted': 'yes' } };
    for (const [command, status] of [
      [new PutObjectCommand(tombstone), 410],
      [new DeleteObjectCommand(place), 404],
    ] as const) {
      if (status === 404) await peer.client.send(new PutObjectCommand({ ...place, Body: body }));
      meddle(async () => {
        await peer.client.send(command as PutObjectCommand);
        return undefined;
      });
      assert.equal((await get(program, 's/f')).status, status);
    }
  });

  it('an object replaced after its HEAD is sent with its new content', async (t) => {
    const { peer, program, meddle, place } = await start(t);
    const other = randomBytes(1000);
    meddle(async (count) => {
      if (count === 1) await peer.client.send(new PutObjectCommand({ ...place, Body: other }));
      return undefined;
    });
    const answer = await get(program, 's/f');
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(other));
  });

  it('an object replaced repeatedly is 503', async (t) => {
    const { peer, program, meddle, place, reasonOf } = await start(t);
    meddle(async (count) => {
      await peer.client.send(new PutObjectCommand({ ...place, Body: randomBytes(count) }));
      return undefined;
    });
    assert.equal((await get(program, 's/f')).status, 503);
    assert.equal(await reasonOf(503), 'S3 GET: the upload was deleted or replaced meanwhile');
  });

  it('HEAD, 304 and 416 fetch no byte from the service', async (t) => {
    const { program, proxy } = await start(t);
    const url = `${program.uploadUrl}s/f`;
    const { headers } = await send(url, { method: 'HEAD' });
    assert.equal(headers['content-length'], String(body.length));
    const conditional = await send(url, { headers: { 'if-none-match': headers['etag'] } });
    assert.equal(conditional.status, 304);
    assert.equal((await send(url, { headers: { range: 'bytes=900000-' } })).status, 416);
    assert.equal(proxy.requests.filter((request) => request === `GET ${pathInBucket}s/f`).length, 0);
  });

  /** Downloads and reads nothing until `act` is done; resolves to the bytes that arrive in all. */
  async function download(t: TestContext, origin: string, act: () => Promise<unknown>): Promise<Buffer> {
    const { socket, waitFor, untilClosed } = await connectTo(t, origin);
    socket.write('GET /upload/s/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await waitFor(/\r\n\r\n[\s\S]/);
    socket.pause();
    await act();
    socket.resume();
    const text = await untilClosed();
    return Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1');
  }

  it('a client that reads nothing for longer than the service waits gets all bytes', async (t) => {
    const { program, meddle } = await start(t);
    const large = randomBytes(20_000_000);
    assert.equal((await put(program, 's/large', large)).status, 201);
    // As Ceph does after 65 s; here it has done so long before the client goes on.
    meddle((count) => (count <= 3 ? { cutAfter: 5_000_000 } : undefined));
    assert.ok((await download(t, program.origin, () => wait(1500))).equals(large));
  });

  it('a gateway that restarts in the middle of a download does not break it', async (t) => {
    const { peer, program } = await start(t);
    const large = randomBytes(30_000_000);
    assert.equal((await put(program, 's/large', large)).status, 201);
    let restarting: Promise<void> | undefined;
    const received = await download(t, program.origin, async () => {
      await peer.stopGateway();
      restarting = wait(1000).then(peer.startGateway);
    });
    await restarting;
    assert.ok(received.equals(large));
  });
});
