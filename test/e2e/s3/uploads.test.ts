import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { cephPrograms, sharedCeph } from '../../support/ceph.js';
import { mainFile, run } from '../../support/command.js';
import { send } from '../../support/http-client.js';
import { freePort, missingPeer } from '../../support/peers.js';
import { type S3Program, startOnBucket } from '../../support/s3-program.js';
import { bearer, deleteToken, v1Token, v2Token } from '../../support/tokens.js';
import { get, put } from '../../support/uploading.js';

const names = ['a b.txt', '100%41+&.txt', '日本語 résumé.txt', 'it\'s "quoted".txt', 'a#b?c;d.txt'];

describe('S3: uploads', { skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph({ isKilled: true });

  /** Runs one of the program's commands with its configuration. */
  const command = (program: S3Program, ...args: readonly string[]) =>
    run(process.execPath, [mainFile, ...args, '--config', program.configFile]);

  /** The head of a PUT for each kind of token. */
  const requests: Record<string, (secret: string, key: string, size: number) => { query: string; headers?: object }> = {
    v1: (secret, key, size) => ({ query: `?v=${v1Token(key, size, secret)}` }),
    v2: (secret, key, size) => ({ query: `?v2=${v2Token(key, size, 'text/plain', secret)}` }),
    Bearer: (key, path, filesize) => {
      const [slot, filename] = path.split('/');
      const claims = { slot, filename, filesize, filetype: 'text/plain', exp: Date.now() / 1000 + 60 };
      return { query: '', headers: { authorization: bearer(claims, { key }) } };
    },
  };
  for (const [scheme, requestFor] of Object.entries(requests)) {
    it(`by ${scheme} are served with ranges and conditions, for any file name`, async (t) => {
      const program = await startOnBucket(t, await ceph());
      const body = randomBytes(300_000);
      for (const name of names) {
        const key = `slot/${name}`;
        const { query, headers } = requestFor(program.secret, key, body.length);
        const url = program.uploadUrl + key.split('/').map(encodeURIComponent).join('/');
        const type = { 'content-type': 'text/plain' };
        const request = { method: 'PUT', headers: { ...type, ...headers }, body };
        assert.equal((await send(url + query, request)).status, 201, name);
        assert.equal((await send(url + query, request)).status, 409);
        await requireServed(url, body);
      }
      assert.deepEqual(await program.contents(), names.map((name) => `slot/${name}`).sort());
    });
  }

  async function requireServed(url: string, body: Buffer): Promise<void> {
    const whole = await send(url);
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(body));
    assert.match(whole.headers['content-type'] ?? '', /^text\/plain/);
    assert.equal(whole.headers['x-content-type-options'], 'nosniff');
    const head = await send(url, { method: 'HEAD' });
    const own = ['date', 'connection'];
    const common = (headers: object) => Object.entries(headers).filter(([name]) => !own.includes(name));
    assert.deepEqual(common(head.headers), common(whole.headers));
    for (const [range, first, last] of [
      ['0-0', 0, 0],
      ['100000-', 100_000, body.length - 1],
      ['-5', body.length - 5, body.length - 1],
      ['10-99999999', 10, body.length - 1],
    ] as const) {
      const part = await send(url, { headers: { range: `bytes=${range}` } });
      assert.equal(part.status, 206);
      assert.equal(part.headers['content-range'], `bytes ${first}-${last}/${body.length}`);
      assert.ok(part.body.equals(body.subarray(first, last + 1)));
    }
    const { etag = '', 'last-modified': date = '' } = whole.headers;
    for (const [headers, status] of [
      [{ 'if-none-match': etag }, 304],
      [{ 'if-modified-since': date }, 304],
      [{ 'if-match': '"other"' }, 412],
      [{ range: 'bytes=1-2', 'if-range': etag }, 206],
      [{ range: 'bytes=1-2', 'if-range': date }, 206],
      [{ range: 'bytes=1-2', 'if-range': '"other"' }, 200],
      [{ range: `bytes=${body.length}-` }, 416],
    ] as const) {
      assert.equal((await send(url, { headers })).status, status, JSON.stringify(headers));
    }
  }

  it('use the access key of the environment if the configuration has none', async (t) => {
    const peer = await ceph();
    const { accessKeyId, secretAccessKey } = peer;
    const none = { accessKeyId: undefined, secretAccessKey: undefined };
    const key = [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`];
    const program = await startOnBucket(t, peer, { s3: none }, ['env', ...key]);
    assert.equal((await put(program, 's/f', Buffer.from('x'))).status, 201);
    // A machine may have none yet when it starts.
    const withoutKey = await startOnBucket(t, peer, { s3: none }, ['env', 'AWS_EC2_METADATA_DISABLED=true']);
    await withoutKey.waitForLog(({ msg }) =>
      /^s3: .*Could not load credentials .*: set s3\.accessKeyId/.test(`${msg}`),
    );
    assert.equal((await put(withoutKey, 's/g', Buffer.from('x'))).status, 503);
  });

  it('of 0 bytes are served', async (t) => {
    const program = await startOnBucket(t, await ceph());
    assert.equal((await put(program, 's/f', Buffer.alloc(0))).status, 201);
    const { status, headers } = await get(program, 's/f');
    assert.deepEqual([status, headers['content-length']], [200, '0']);
  });

  it('deleted by token are 410, and their slot stays taken', async (t) => {
    const program = await startOnBucket(t, await ceph(), { deleteSecret: 'delsecret', secret: 'mysecret' });
    assert.equal((await put(program, 's/f', Buffer.from('x'))).status, 201);
    const url = `${program.uploadUrl}s/f?token=${deleteToken('s/f', 'delsecret')}`;
    for (const _ of [1, 2]) assert.equal((await send(url, { method: 'DELETE' })).status, 204);
    assert.equal((await get(program, 's/f')).status, 410);
    assert.equal((await send(`${program.uploadUrl}s/f`, { method: 'HEAD' })).status, 410);
    assert.equal((await put(program, 's/f', Buffer.from('x'))).status, 409);
    assert.equal((await get(program, 's/g')).status, 404);
  });

  it('are counted, signed and deleted by the commands', async (t) => {
    const program = await startOnBucket(t, await ceph());
    const hash = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';
    for (const key of ['s/a.png', 's/b.png', `${hash}/s/c.png`]) await put(program, key, Buffer.from('12345'));
    const claims = { slot: 's', filename: 'd', filesize: 5, sub: 'romeo@example.org', exp: Date.now() / 1000 + 60 };
    const headers = { authorization: bearer(claims, { key: program.secret }) };
    await send(`${program.uploadUrl}s/d`, { method: 'PUT', headers, body: Buffer.from('12345') });

    const stats = JSON.parse((await command(program, 'stats', '--json')).stdout);
    assert.deepEqual([stats.bucket, stats.files, stats.bytes], [program.bucket, 4, 20]);
    assert.deepEqual(stats.uploaders, [{ name: hash, files: 1, bytes: 5 }]);

    const signed = await command(program, 'sign', 's/e.png', '5', '--base-url', program.uploadUrl, '--json');
    const { url, headers: toSend } = JSON.parse(signed.stdout);
    assert.equal((await send(url, { method: 'PUT', headers: toSend, body: Buffer.from('12345') })).status, 201);

    const deletion = await command(program, 'delete', `${program.uploadUrl}s/a.png`);
    assert.deepEqual(deletion, { code: 0, stdout: 'deleted s/a.png\n', stderr: '' });
    assert.equal((await get(program, 's/a.png')).status, 410);
    assert.equal((await command(program, 'delete', 's/a.png')).code, 1);

    const purge = await command(program, 'purge', '--uploader', 'romeo@example.org');
    assert.match(purge.stdout, /deleted 2 uploads, 10 bytes\n$/);
    for (const key of [`${hash}/s/c.png`, 's/d']) assert.equal((await get(program, key)).status, 410, key);
    assert.equal((await get(program, 's/b.png')).status, 200);
    assert.match((await command(program, 'purge', '--older-than', '0s')).stdout, /deleted 2 uploads/);
  });

  it('by several workers are stored once if they race, and are measured', async (t) => {
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const program = await startOnBucket(t, await ceph(), { workers: 2, metricsListen });
    const answers = await Promise.all(Array.from({ length: 20 }, () => put(program, 's/f', Buffer.alloc(100_000))));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
    const health = await send(`http://${metricsListen}/healthz`);
    assert.deepEqual([health.status, JSON.parse(health.body.toString())], [200, { status: 'ok' }]);
    const metrics = (await send(`http://${metricsListen}/metrics`)).body.toString();
    assert.match(metrics, /^prosody_filer_requests_total\{method="PUT",status="201"\} 1$/m);
    assert.deepEqual(await program.contents(), ['s/f']);
  });

  it('that cannot be stored make /healthz 503', async (t) => {
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const program = await startOnBucket(t, await ceph(), { metricsListen });
    const { stopGateway, startGateway } = await ceph();
    await stopGateway();
    const { status, body } = await send(`http://${metricsListen}/healthz`).finally(startGateway);
    assert.equal(status, 503);
    assert.match(JSON.parse(body.toString()).reason, /^S3 PUT: ECONNREFUSED/);
    assert.equal((await send(`http://${metricsListen}/healthz`)).status, 200);
    assert.deepEqual(await program.contents(), []);
  });
});
