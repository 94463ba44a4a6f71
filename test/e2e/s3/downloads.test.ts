import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { eventually } from '../../support/eventually.js';
import { send } from '../../support/http-client.js';
import { missingPeer } from '../../support/peers.js';
import type { Program, Settings } from '../../support/program.js';
import { type S3Program, startOnBucket } from '../../support/s3-program.js';
import { bearer, deleteToken, v1Token } from '../../support/tokens.js';
import { get, put } from '../../support/uploading.js';

const page = Buffer.from('<script>alert(1)</script>');

/** Uploads for a user whose server lets it expire so many ms from now; resolves to its URL. */
async function putExpiring({ uploadUrl, secret }: Program, filename: string, body: Buffer, keptMs: number) {
  const now = Date.now();
  const claims = { slot: 's', filename, filesize: body.length, filetype: 'image/png' };
  const times = { exp: Math.ceil(now / 1000) + 60, expires: Math.ceil((now + keptMs) / 1000) };
  const headers = { authorization: bearer({ ...claims, ...times }, { key: secret }) };
  const url = `${uploadUrl}s/${filename}`;
  assert.equal((await send(url, { method: 'PUT', headers, body })).status, 201);
  return url;
}

describe('S3: downloads by redirect', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();
  const start = async (t: TestContext, settings: Settings = {}): Promise<S3Program> =>
    startOnBucket(t, await ceph(), { ...settings, s3: { download: 'redirect' } });

  async function locationOf(url: string): Promise<string> {
    const { status, headers, body } = await send(url);
    assert.deepEqual([status, body.length, headers['content-length']], [302, 0, '0']);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['access-control-allow-origin'], '*');
    return headers.location ?? '';
  }

  it('get the bytes from the bucket, with a safe type and disposition', async (t) => {
    const program = await start(t);
    const body = randomBytes(200_000);
    for (const [name, type, bytes, disposition] of [
      ['a b%41+日本.html', 'text/html', page, /^attachment; filename="/],
      ['photo.jpg', 'image/jpeg', body, /^inline$/],
    ] as const) {
      const url = `${program.uploadUrl}s/${encodeURIComponent(name)}`;
      const query = `?v=${v1Token(`s/${name}`, bytes.length, program.secret)}`;
      assert.equal((await send(url + query, { method: 'PUT', body: bytes })).status, 201);
      const location = await locationOf(url);
      assert.ok(location.startsWith(`${(await ceph()).endpoint}/`), location);
      const answer = await send(location);
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, type]);
      assert.match(answer.headers['content-disposition'] ?? '', disposition);
      assert.equal(answer.headers['cache-control'], 'max-age=31536000, immutable, no-transform');
      assert.ok(answer.body.equals(bytes));
      const part = await send(location, { headers: { range: 'bytes=3-10' } });
      assert.deepEqual([part.status, part.body], [206, bytes.subarray(3, 11)]);
    }
    const { sentBy } = await program.waitForLog(({ status }) => status === 302);
    assert.equal(sentBy, 'the store');
    assert.ok(!program.output().includes('Signature'), 'the log has a signature');
  });

  it('answer HEAD, conditions and missing uploads without a redirect', async (t) => {
    const program = await start(t);
    await put(program, 's/f.png', page);
    const url = `${program.uploadUrl}s/f.png`;
    const head = await send(url, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length']], [200, String(page.length)]);
    assert.equal(head.headers['content-type'], 'image/png');
    const { etag = '' } = head.headers;
    for (const [headers, status] of [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-match': '"other"' }, 412],
      [{ range: 'bytes=0-1' }, 302],
    ] as const) {
      assert.equal((await send(url, { headers })).status, status);
    }
    assert.equal((await get(program, 's/none')).status, 404);
  });

  it('use URLs that allow only this download', async (t) => {
    const program = await start(t);
    for (const name of ['s/f.html', 's/g.html']) await put(program, name, page);
    const location = await locationOf(`${program.uploadUrl}s/f.html`);
    assert.match(location, /X-Amz-Expires=600(&|$)/);
    for (const forged of [
      location.replace('s/f.html', 's/g.html'),
      location.replace('response-content-disposition=attachment', 'response-content-disposition=inline'),
      location.replace('text%2Fhtml', 'image%2Fpng'),
      location.replace(/response-content-disposition=[^&]*&?/, ''),
      location.replace('X-Amz-Expires=600', 'X-Amz-Expires=6000'),
      location.replace(/(X-Amz-Signature=.{10})./, '$1_'),
    ]) {
      assert.notEqual(forged, location);
      assert.equal((await send(forged)).status, 403, forged);
    }
    assert.equal((await send(location, { method: 'PUT', body: page })).status, 403);
    assert.equal((await send(location, { method: 'DELETE' })).status, 403);
  });

  it('use URLs with the full lifetime if the upload may be evicted at any time', async (t) => {
    const program = await start(t, { maxStoreSize: '1MB', whenFull: 'evict', evictMinAge: '1ms' });
    await put(program, 's/f.png', page);
    assert.match(await locationOf(`${program.uploadUrl}s/f.png`), /X-Amz-Expires=600(&|$)/);
  });

  it('end at the expiry of the upload', async (t) => {
    const program = await start(t);
    const url = await putExpiring(program, 'f.png', page, 3000);
    const location = await locationOf(url);
    const [, seconds] = /X-Amz-Expires=(\d+)/.exec(location) ?? [];
    assert.ok(Number(seconds) >= 1 && Number(seconds) <= 4, location);
    const fetched = await send(location);
    assert.equal(fetched.status, 200);
    assert.match(fetched.headers['cache-control'] ?? '', /^max-age=[0-4], immutable, no-transform$/);
    await eventually(async () => (await send(location)).status !== 200);
    assert.equal((await send(location)).status, 403);
    await eventually(async () => (await get(program, 's/f.png')).status !== 302);
    assert.equal((await get(program, 's/f.png')).status, 410);
  });
});

describe('S3: downloads from a public bucket', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  async function start(t: TestContext, settings: Settings = {}): Promise<S3Program> {
    const peer = await ceph();
    const Bucket = await peer.createBucket();
    const anybody = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${Bucket}/*` };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [anybody] });
    await peer.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const baseDomain = `${peer.endpoint}/${Bucket}`;
    return startOnBucket(t, peer, { ...settings, s3: { bucket: Bucket, download: 'public', baseDomain } });
  }

  it('work for any file name, with type, disposition and caching', async (t) => {
    const program = await start(t);
    for (const name of [
      'a b.html',
      '100%41+&.html',
      '日本語.html',
      'it\'s "quoted".html',
      'a#b?c;d.html',
      '(*)!~.html',
    ]) {
      const url = `${program.uploadUrl}s/${encodeURIComponent(name)}`;
      const query = `?v=${v1Token(`s/${name}`, page.length, program.secret)}`;
      assert.equal((await send(url + query, { method: 'PUT', body: page })).status, 201);
      const { status, headers } = await send(url);
      assert.deepEqual([status, headers['cache-control']], [302, 'no-store']);
      const answer = await send(headers.location ?? '');
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/html'], headers.location);
      assert.match(answer.headers['content-disposition'] ?? '', /^attachment; filename=/);
      assert.equal(answer.headers['cache-control'], 'max-age=31536000, immutable, no-transform');
      assert.ok(answer.body.equals(page));
    }
  });

  it('answer 404 for guessed names, and a line of text for deleted uploads', async (t) => {
    const program = await start(t, { secret: 'mysecret', deleteSecret: 'delsecret' });
    await put(program, 's/f.png', page);
    const { location = '' } = (await get(program, 's/f.png')).headers;
    assert.equal((await send(location)).status, 200);
    assert.equal((await send(`${location.split('/some/')[0]}/`)).status, 403);
    assert.equal((await send(location.replace('f.png', 'g.png'))).status, 403);
    const deletion = `${program.uploadUrl}s/f.png?token=${deleteToken('s/f.png', 'delsecret')}`;
    assert.equal((await send(deletion, { method: 'DELETE' })).status, 204);
    const { headers, body } = await send(location);
    assert.deepEqual([headers['content-type'], headers['cache-control']], ['text/plain', 'no-store']);
    assert.equal(body.toString(), 'This upload was deleted.\n');
  });

  it('are cached no longer than they are guaranteed to stay', async (t) => {
    const program = await start(t);
    const url = await putExpiring(program, 'g.png', page, 60_000);
    const cached = await send((await send(url)).headers.location ?? '');
    assert.equal(cached.headers['cache-control'], 'immutable, no-transform');
    assert.ok(Date.parse(cached.headers.expires ?? '') <= Date.now() + 62_000);
  });
});
