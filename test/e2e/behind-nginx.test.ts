import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { encodedPath } from '../../src/upload/encoded-path.js';
import { send } from '../support/http-client.js';
import { sendByHttp2 } from '../support/http2-client.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { connectTo } from '../support/raw-socket.js';
import { tempDir } from '../support/temp-dir.js';
import { ids } from '../support/uploader-ids.js';
import { putTarget } from '../support/uploading.js';
import { startNginx, startNginxLayout } from './nginx.js';

/** nginx's default for how long it keeps an idle connection to a server behind it. */
const nginxKeepAliveMs = 60_000;

/** nginx with connections to the server that it uses again and again. */
function keepAliveProxy(t: TestContext, origin: string): Promise<string> {
  const upstream = `upstream filer { server ${new URL(origin).host}; keepalive 4; }`;
  const location = `location /upload/ {
    proxy_pass http://filer;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_request_buffering off;
  }`;
  return startNginx(t, location, upstream);
}

describe('behind nginx', { skip: missingPeer('nginx') }, () => {
  it('never causes a 502, whatever it refuses on connections that nginx keeps', async (t) => {
    const program = await startProgram(t);
    const origin = await keepAliveProxy(t, program.origin);
    const statuses = new Map<number, number>();
    const body = Buffer.alloc(200_000);
    for (let round = 0; round < 100; round += 1) {
      const target = putTarget(program, `s${round}/f`, body.length);
      const answers = await Promise.all([
        send(`${origin}${target}`, { method: 'PUT', body }),
        send(`${origin}/upload/s${round}/refused?v=0`, { method: 'PUT', body }),
        send(`${origin}/upload/none`),
        send(`${origin}${target}`, { method: 'PUT', body: body.subarray(1) }),
      ]);
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(statuses), { 201: 100, 403: 200, 404: 100 });
  });

  it('stores an empty file that comes by HTTP/2 without a Content-Length', {
    skip: missingPeer('openssl'),
  }, async (t) => {
    const program = await startProgram(t);
    const origin = await startNginxLayout(t, 'a', program);
    // The request ends with its head, or with an empty frame after it, of which nginx makes a chunked body.
    for (const [key, body] of [
      ['s/a', undefined],
      ['s/b', Buffer.alloc(0)],
    ] as const) {
      const to = { origin, rawTarget: putTarget(program, key, 0) };
      const options = { method: 'PUT', headers: { 'content-length': undefined }, ...(body && { body }) };
      assert.equal((await sendByHttp2(to, options)).status, 201, key);
      const { status, headers } = await send(`${program.origin}/upload/${key}`);
      assert.deepEqual([status, headers['content-length']], [200, '0']);
    }
    const to = { origin, rawTarget: putTarget(program, 's/c', 1) };
    const options = { method: 'PUT', headers: { 'content-length': undefined }, body: Buffer.alloc(1) };
    const { status, body } = await sendByHttp2(to, options);
    assert.deepEqual([status, body.toString()], [411, 'The upload has no Content-Length header.\n']);
  });

  it('takes URLs with raw UTF-8, as ejabberd hands them out since 25.08', async (t) => {
    const program = await startProgram(t);
    const origin = await keepAliveProxy(t, program.origin);
    const path = `${ids.ofEjabberd}/wqrMMc7txe2Ptcv1wSoAl8MWHGnLvFbPLql9Os9C/büro_日本.jpg`;
    for (const [at, url] of [program.origin, origin].entries()) {
      const key = path.replace('büro', `büro${at}`);
      const target = putTarget(program, key, 5);
      const put = () => send(`${url}${target}`, { method: 'PUT', body: Buffer.from('hello') });
      assert.deepEqual([(await put()).status, (await put()).status], [201, 409]);
      assert.equal((await send(`${url}/upload/${key}`)).body.toString(), 'hello');
      const line = await program.waitForLog(({ status, path }) => status === 201 && String(path).includes(`ro${at}_`));
      assert.deepEqual(
        [line['method'], line['path'], line['client']],
        ['PUT', `/upload/${encodedPath(key)}`, '127.0.0.1'],
      );
    }
  });

  it('keeps an idle connection for longer than nginx does', async (t) => {
    const program = await startProgram(t, { stallTimeout: '100ms' });
    const connection = await connectTo(t, program.origin);
    connection.socket.write('GET /upload/ HTTP/1.1\r\nHost: x\r\n\r\n');
    const answer = await connection.waitFor(/^HTTP\/1\.1 404 [\s\S]*no file at this URL\.\n$/);
    const [, keptSeconds] = /\r\nKeep-Alive: timeout=(\d+)\r\n/i.exec(answer) ?? [];
    assert.ok(Number(keptSeconds) * 1000 > nginxKeepAliveMs, answer);
    // An idle connection does not count as stalled.
    await wait(1000);
    assert.equal(connection.socket.readyState, 'open');
  });

  it('names the client of nginx over a Unix socket if that is trusted', async (t) => {
    for (const [trustProxy, client] of [
      [['unix'], '127.0.0.1'],
      [[], undefined],
    ] as const) {
      const socket = path.join(await tempDir(t), 'filer.sock');
      const program = await startProgram(t, { listenPort: socket, unixSocket: true, trustProxy });
      const origin = await startNginx(
        t,
        `location /upload/ { proxy_pass http://unix:${socket}; proxy_set_header X-Forwarded-For $remote_addr; }`,
      );
      assert.equal((await send(`${origin}/upload/none`)).status, 404);
      assert.equal((await program.waitForLog(({ status }) => status === 404))['client'], client);
    }
  });
});
