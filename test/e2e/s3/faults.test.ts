import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { send } from '../../support/http-client.js';
import { startLossyProxy } from '../../support/lossy-proxy.js';
import { missingPeer } from '../../support/peers.js';
import type { Program } from '../../support/program.js';
import { connectTo } from '../../support/raw-socket.js';
import { startOnBucket } from '../../support/s3-program.js';
import { beginPut, get, put } from '../../support/uploading.js';

const body = randomBytes(500_000);

describe('S3: faults', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph({ isKilled: true });

  const start = async (t: TestContext) => startOnBucket(t, await ceph());

  /** The reason in the log for an answer with this status, which holds no secret. */
  async function reasonOf(program: Program, status: number): Promise<string> {
    const { reason } = await program.waitForLog((line) => line['status'] === status);
    const { secretAccessKey } = await ceph();
    for (const text of [secretAccessKey, program.secret, 'Signature', 'AWS4']) {
      assert.ok(!program.output().includes(text), `the log has ${text}`);
    }
    return String(reason);
  }

  /** Does something while the gateway refuses connections. */
  async function whileStopped(act: () => Promise<void>): Promise<void> {
    const peer = await ceph();
    await peer.stopGateway();
    await act().finally(() => peer.startGateway());
  }

  it('a stopped gateway is 503 with Retry-After, and the slot works when it is back', async (t) => {
    const program = await start(t);
    assert.equal((await put(program, 's/first', body)).status, 201);
    await whileStopped(async () => {
      for (const answer of [await put(program, 's/f', body), await get(program, 's/first')]) {
        assert.equal(answer.status, 503);
        assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
        assert.equal(answer.headers['access-control-allow-origin'], '*');
      }
    });
    assert.match(await reasonOf(program, 503), /^S3 HEAD: .*ECONNREFUSED/);
    assert.equal((await put(program, 's/f', body)).status, 201);
    assert.ok((await get(program, 's/first')).body.equals(body));
    assert.equal((await program.contents()).length, 2);
  });

  it('a gateway that stops in the middle of an upload is 503, leaves nothing, and the slot works when it is back', async (t) => {
    const program = await start(t);
    const connection = await beginPut(t, program, 's/f', body.length, body.subarray(0, 300_000));
    // Until the gateway has a part of it.
    await wait(200);
    await whileStopped(async () => {
      connection.socket.write(body.subarray(300_000));
      await connection.waitFor(/^HTTP\/1\.1 503 [\s\S]*retry-after/);
    });
    assert.match(await reasonOf(program, 503), /^S3 PUT: .*(ECONNRESET|EPIPE)/);
    assert.deepEqual(await program.contents(), []);
    assert.equal((await put(program, 's/f', body)).status, 201);
  });

  it('a gateway that hangs is 503 after 10 to 30 s, breaks off running downloads, and delays no other request', async (t) => {
    const [peer, program] = [await ceph(), await start(t)];
    assert.equal((await put(program, 's/first', body)).status, 201);
    const large = randomBytes(30_000_000);
    assert.equal((await put(program, 's/large', large)).status, 201);
    const download = await connectTo(t, program.origin);
    download.socket.write('GET /upload/s/large HTTP/1.1\r\nHost: x\r\n\r\n');
    await download.waitFor(/\r\n\r\n[\s\S]/);
    download.socket.pause();
    const running = await beginPut(t, program, 's/running', body.length, body.subarray(0, 300_000));
    // Until the gateway has a part of it.
    await wait(1000);
    peer.pauseGateway();
    const pausedAt = performance.now();
    const seconds = async (answer: Promise<unknown>) => {
      await answer;
      return (performance.now() - pausedAt) / 1000;
    };
    try {
      running.socket.write(body.subarray(300_000));
      download.socket.resume();
      const url = `${program.uploadUrl}s/first`;
      const hanging = [put(program, 's/f', body), get(program, 's/first'), send(url, { method: 'HEAD' })];
      const refused = send(`${program.uploadUrl}s/f?v=wrong`, { method: 'PUT', body });
      for (const [answer, status] of [[send(url, { method: 'OPTIONS' }), 204] as const, [refused, 403] as const]) {
        assert.equal((await answer).status, status);
        assert.ok((await seconds(answer)) < 5, 'it waited for the gateway');
      }
      for (const answer of hanging) {
        assert.equal((await answer).status, 503);
        assert.ok((await seconds(answer)) < 15);
      }
      assert.match(await reasonOf(program, 503), /^S3 HEAD: no answer for 10 s$/);
      const broken = seconds(running.waitFor(/^HTTP\/1\.1 503 /));
      assert.ok((await broken) < 35, `${await broken} s`);
      // The client must notice that it is incomplete.
      const cut = seconds(download.untilClosed());
      assert.ok((await cut) < 40, `${await cut} s`);
      assert.ok(download.received().length < large.length);
      await program.waitForLog(({ path, reason }) => path === '/upload/s/large' && /^S3 GET: no/.test(String(reason)));
    } finally {
      peer.resumeGateway();
    }
    await program.waitForLog(({ reason }) => reason === 'the store did not answer for 20 s');
    assert.equal((await put(program, 's/f', body)).status, 201);
    assert.ok((await get(program, 's/first')).body.equals(body));
    assert.ok((await program.contents()).length <= 4);
  });

  it('an answer that is lost after the bytes are stored is still 201', async (t) => {
    const peer = await ceph();
    const network = await startLossyProxy(t, peer.endpoint);
    const program = await startOnBucket(t, peer, { s3: { endpointUrl: network.origin } });
    network.loseAnswersAfter(100_000);
    assert.equal((await put(program, 's/f', body)).status, 201);
    assert.equal((await put(program, 's/f', body)).status, 409);
    assert.ok((await get(program, 's/f')).body.equals(body));
  });

  it('credentials that are revoked are 502 with the reason in the log, and work again when they are back', async (t) => {
    const [peer, program] = [await ceph(), await start(t)];
    assert.equal((await put(program, 's/first', body)).status, 201);
    const { uid, accessKeyId, secretAccessKey } = peer;
    const faults = [
      [
        ['user', 'suspend', '--uid', uid],
        ['user', 'enable', '--uid', uid],
      ],
      [
        ['key', 'rm', '--uid', uid, '--access-key', accessKeyId],
        ['key', 'create', '--uid', uid, '--access-key', accessKeyId, '--secret-key', secretAccessKey],
      ],
    ] as const;
    for (const [index, [revoke, restore]] of faults.entries()) {
      await peer.admin(...revoke);
      const answers = await Promise.all([put(program, `s/${index}`, body), get(program, 's/first')]).finally(() =>
        peer.admin(...restore),
      );
      for (const { status } of answers) assert.equal(status, 502);
      assert.equal((await put(program, `s/${index}`, body)).status, 201);
    }
    assert.match(await reasonOf(program, 502), /^S3 HEAD: 403: this key may not do that, or is no longer valid$/);
    assert.equal((await program.contents()).length, 3);
  });

  it('a full bucket is 507, leaves nothing, and accepts uploads again when there is room', async (t) => {
    const [peer, program] = [await ceph(), await start(t)];
    const quota = ['--quota-scope=bucket', `--bucket=${program.bucket}`];
    await peer.admin('quota', 'set', ...quota, '--max-size=1M');
    await peer.admin('quota', 'enable', ...quota);
    assert.equal((await put(program, 's/first', body)).status, 201);
    const large = await put(program, 's/f', randomBytes(20_000_000));
    assert.equal(large.status, 507);
    assert.match(large.body.toString(), /^The server has no room/);
    assert.match(await reasonOf(program, 507), /^S3 PUT: 403 QuotaExceeded$/);
    assert.deepEqual(await program.contents(), ['s/first']);
    assert.ok((await get(program, 's/first')).body.equals(body));
    await peer.admin('quota', 'disable', ...quota);
    assert.equal((await put(program, 's/f', body)).status, 201);
  });

  for (const [what, wrong, problem] of [
    ['bucket', { bucket: 'no-such-bucket' }, /the bucket no-such-bucket to .*NoSuchBucket: .*s3\.bucket\n/],
    ['secret', { secretAccessKey: 'hush-hush' }, /SignatureDoesNotMatch: .*s3\.secretAccessKey\n/],
    ['key', { accessKeyId: 'nobody' }, /InvalidAccessKeyId: .*s3\.accessKeyId\n/],
  ] as const) {
    it(`a wrong ${what} fails the start with a line that says where to look`, async (t) => {
      const peer = await ceph();
      await assert.rejects(startOnBucket(t, peer, { s3: wrong }), ({ message }: Error) => {
        assert.match(message, /ended \(2\)/);
        assert.match(`${message}\n`, /prosody-filer: \S+config\.toml: s3: expected /);
        assert.match(`${message}\n`, problem);
        for (const text of [peer.secretAccessKey, 'hush-hush', '    at ']) assert.ok(!message.includes(text), message);
        return true;
      });
    });
  }

  it('a server that is not S3 fails the start with a line that says so', async (t) => {
    const { origin: endpointUrl } = await start(t);
    const message = /404, but that is no S3 service: check s3\.endpointUrl$/m;
    await assert.rejects(startOnBucket(t, await ceph(), { s3: { endpointUrl } }), { message });
  });

  it('a bucket that is full at the start causes a warning, and its uploads are served', async (t) => {
    const peer = await ceph();
    const program = await start(t);
    assert.equal((await put(program, 's/f', body)).status, 201);
    const quota = ['--quota-scope=bucket', `--bucket=${program.bucket}`];
    await peer.admin('quota', 'set', ...quota, '--max-objects=1');
    await peer.admin('quota', 'enable', ...quota);
    const next = await startOnBucket(t, peer, { s3: { bucket: program.bucket } });
    await next.waitForLog(
      ({ level, msg }) => level === 'warn' && /^s3: the bucket is full, .*QuotaExceeded/.test(String(msg)),
    );
    assert.equal((await get(next, 's/f')).status, 200);
    assert.equal((await put(next, 's/g', body)).status, 507);
  });

  it('a gateway that is down at the start causes a warning, and is used when it is back', async (t) => {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    let program: Program | undefined;
    await whileStopped(async () => {
      program = await startOnBucket(t, peer, { s3: { bucket } });
      await program.waitForLog(
        ({ level, msg }) => level === 'warn' && /^s3: the bucket cannot be used now/.test(String(msg)),
      );
      assert.equal((await put(program, 's/f', body)).status, 503);
    });
    assert.ok(program);
    assert.equal((await put(program, 's/f', body)).status, 201);
    assert.ok((await get(program, 's/f')).body.equals(body));
  });
});
