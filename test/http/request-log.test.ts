import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Store } from '../../src/storage/store.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { startServer } from '../support/server.js';
import { bearer, v1Token } from '../support/tokens.js';

describe('the log', () => {
  it('has one line per request, with the fields that operators need', async (t) => {
    const { origin, logLines } = await startServer(t);
    const url = `${origin}/upload/s/tr%c3%a8s.jpg`;
    await send(`${url}?v=${v1Token('s/très.jpg', 5)}`, { method: 'PUT', body: Buffer.from('hello') });
    await send(url);
    await send(`${url}x`);
    await eventually(async () => logLines.length === 3);
    const seen = logLines.map(({ method, path, status, bytes, reason }) => ({ method, path, status, bytes, reason }));
    const path = '/upload/s/tr%c3%a8s.jpg';
    assert.deepEqual(seen, [
      { method: 'PUT', path, status: 201, bytes: 5, reason: undefined },
      { method: 'GET', path, status: 200, bytes: 5, reason: undefined },
      { method: 'GET', path: `${path}x`, status: 404, bytes: 0, reason: 'there is no such upload' },
    ]);
    assert.equal(new Set(logLines.map(({ reqId }) => reqId)).size, 3);
    for (const { durationMs } of logLines) assert.equal(typeof durationMs, 'number');
  });

  it('names the client of X-Forwarded-For only if the proxy is trusted', async (t) => {
    const clientOf = async (trustProxy: string[]) => {
      const { origin, logLines } = await startServer(t, { trustProxy });
      await send(`${origin}/upload/s/f`, { headers: { 'x-forwarded-for': '192.0.2.1, 198.51.100.7' } });
      await eventually(async () => logLines.length === 1);
      return logLines[0]?.['client'];
    };
    assert.equal(await clientOf([]), '127.0.0.1');
    assert.equal(await clientOf(['10.0.0.0/8']), '127.0.0.1');
    assert.equal(await clientOf(['127.0.0.0/8']), '198.51.100.7');
    assert.equal(await clientOf(['127.0.0.1', '198.51.100.7']), '192.0.2.1');
  });

  it('accepts X-Forwarded-For only if it is an address', async (t) => {
    const { origin, logLines } = await startServer(t, { trustProxy: ['127.0.0.0/8', '10.0.0.1'] });
    const headers = [
      '\u009b31m',
      '192.0.2.1:80',
      'unknown',
      '2001:db8::1',
      '<b>, 10.0.0.1',
      ', , ,',
      '192.0.2.1\u2028',
    ];
    for (const header of headers) {
      const text = Buffer.from(header).toString('latin1');
      await send(`${origin}/upload/s/f`, { headers: { 'x-forwarded-for': text } });
    }
    await eventually(async () => logLines.length === headers.length);
    const self = '127.0.0.1';
    assert.deepEqual(
      logLines.map(({ client }) => client),
      [self, self, self, '2001:db8::1', '10.0.0.1', self, self],
    );
  });

  it('names a percent-encoded question mark as the cause of a refusal', async (t) => {
    const { origin, logLines } = await startServer(t);
    const token = v1Token('s/f', 1);
    const targets = [`%3Fv=${token}`, `%3fv2%3D${token}`, `%253Ftoken=${token}`, `${'x'.repeat(250)}%3Fv=${token}`];
    for (const target of targets) {
      await send({ origin, rawTarget: `/upload/s/f${target}` }, { method: 'PUT', body: Buffer.from('x') });
    }
    await send({ origin, rawTarget: '/upload/s/f%3F' }, { method: 'PUT', body: Buffer.from('x') });
    await eventually(async () => logLines.length === 5);
    for (const { reason } of logLines.slice(0, -1))
      assert.match(String(reason), /question mark of the URL was percent-enc/);
    assert.match(String(logLines[4]?.['reason']), /^no token: [^;]*$/);
  });

  it('names the uploader if the token or the path does', async (t) => {
    const { origin, logLines } = await startServer(t);
    const exp = Date.now() / 1000 + 60;
    const authorization = bearer({ slot: 's', filename: 'f', filesize: 1, sub: 'romeo@example.org', exp });
    await send(`${origin}/upload/s/f`, { method: 'PUT', headers: { authorization }, body: Buffer.from('x') });
    const user = '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572';
    const query = `?v=${v1Token(`${user}/x/f`, 1)}`;
    await send(`${origin}/upload/${user}/x/f${query}`, { method: 'PUT', body: Buffer.from('x') });
    await eventually(async () => logLines.length === 2);
    assert.deepEqual(
      logLines.map(({ status, uploader }) => [status, uploader]),
      [
        [201, 'romeo@example.org'],
        [201, user],
      ],
    );
  });

  it('never contains a token or a secret', async (t) => {
    const { origin, logLines } = await startServer(t);
    const token = v1Token('s/f', 1);
    const jwt = bearer({ slot: 's', filename: 'g', filesize: 2, exp: 1 });
    for (const query of [
      `?v=${token}`,
      `?v2=${token}`,
      `?token=${token}`,
      `?v=${token}&v=${token}`,
      `?x=1?v=${token}`,
    ]) {
      for (const method of ['PUT', 'GET', 'DELETE', 'POST', 'PROPFIND'])
        await send(`${origin}/upload/s/f${query}`, { method });
    }
    await send(`${origin}/upload/s/g`, { method: 'PUT', headers: { authorization: jwt } });
    await eventually(async () => logLines.length === 26);
    const text = JSON.stringify(logLines);
    for (const secret of [token, jwt, jwt.slice(7, 40), 'mysecret']) assert.ok(!text.includes(secret));
  });

  it('gives an unexpected error the id and path of its request', async (t) => {
    const open = () => Promise.reject(new Error('boom'));
    const wrapStore = (store: Store) => Object.assign(Object.create(store), { open });
    const { origin, logLines } = await startServer(t, { wrapStore });
    assert.equal((await send(`${origin}/upload/s/f`)).status, 500);
    await eventually(async () => logLines.length === 2);
    const [error, request] = logLines;
    assert.deepEqual([error?.['path'], error?.['reqId']], ['/upload/s/f', request?.['reqId']]);
    assert.match(String(error?.['err']), /boom/);
    assert.deepEqual([request?.['status'], request?.['reason']], [500, 'boom']);
  });
});
