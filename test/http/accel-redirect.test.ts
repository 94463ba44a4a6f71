import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { startServer } from '../support/server.js';
import { bearer } from '../support/tokens.js';

/** A server that leaves sending to nginx, with uploads that hold `0123456789`. */
async function startWith(t: TestContext, ...names: readonly string[]) {
  const server = await startServer(t, { accelRedirect: '/internal/' });
  await mkdir(path.join(server.storeDir, 's'));
  for (const name of names) await writeFile(path.join(server.storeDir, 's', name), '0123456789');
  return { ...server, url: (name: string) => `${server.origin}/upload/s/${encodeURIComponent(name)}` };
}

describe('accelRedirect', () => {
  it('names the file to nginx, percent-encoded, with type and disposition and no body', async (t) => {
    const names = ['f.png', '100%41.html', 'a?b=c.svg', 'a#b', 'two words', '日本.txt', '..a', "+&;='\\"];
    const { url } = await startWith(t, ...names);
    for (const name of names) {
      const { status, headers, body } = await send(url(name));
      assert.deepEqual([status, headers['content-length'], body.length], [200, '0', 0]);
      const redirect = String(headers['x-accel-redirect']);
      assert.match(redirect, /^\/internal\/s\/[\w.~!'()*%-]+$/);
      assert.equal(decodeURIComponent(redirect), `/internal/s/${name}`);
      const own = (await send(url(name), { method: 'HEAD' })).headers;
      for (const header of ['content-type', 'content-disposition', 'access-control-allow-origin'])
        assert.equal(headers[header], own[header], header);
      assert.equal(headers['x-accel-cache-control'], own['cache-control']);
      // nginx would add its own to these, or keep this one with an error.
      for (const header of ['accept-ranges', 'cache-control']) assert.equal(headers[header], undefined, header);
    }
  });

  it('is used for ranges that nginx understands', async (t) => {
    const { url } = await startWith(t, 'f');
    const { etag } = (await send(url('f'), { method: 'HEAD' })).headers;
    for (const headers of [{ range: 'bytes=2-4' }, { range: 'bytes=-1' }, { range: 'bytes=2-', 'if-range': etag }])
      assert.equal((await send(url('f'), { headers })).headers['x-accel-redirect'], '/internal/s/f');
  });

  it('is not used for requests that nginx would answer differently or not at all', async (t) => {
    const { url } = await startWith(t, 'f');
    const head = await send(url('f'), { method: 'HEAD' });
    const etag = String(head.headers.etag);
    const now = new Date().toUTCString();
    const whole = [200, 10];
    const cases: [Record<string, string>, number[]][] = [
      [{ range: 'bytes=0-1,3-4' }, whole],
      [{ range: 'bytes=4-2' }, whole],
      [{ range: 'lines=1-2' }, whole],
      [{ range: 'bytes=0-1', 'if-range': '"other"' }, whole],
      [{ range: 'bytes=2-18446744073709551615' }, [206, 8]],
      [{ range: 'bytes=10-' }, [416, 51]],
      [{ 'if-none-match': etag }, [304, 0]],
      [{ 'if-modified-since': now }, [304, 0]],
      [{ 'if-match': '"other"' }, [412, 54]],
      [{ 'if-match': etag, 'if-unmodified-since': 'Sat, 03 Feb 2001 04:05:06 GMT' }, whole],
      [{ 'if-unmodified-since': now }, whole],
    ];
    for (const [headers, expected] of cases) {
      const answer = await send(url('f'), { headers });
      assert.deepEqual([answer.status, answer.body.length], expected, JSON.stringify(headers));
      assert.equal(answer.headers['x-accel-redirect'], undefined);
    }
    assert.deepEqual([head.headers['content-length'], head.headers['x-accel-redirect']], ['10', undefined]);
  });

  it('honours an expiry', async (t) => {
    let now = 1_700_000_000_000;
    const { origin } = await startServer(t, { accelRedirect: '/internal/', now: () => now });
    const claims = { slot: 's', filename: 'f', filesize: 1, exp: now / 1000 + 300, expires: now / 1000 + 1000 };
    const put = { method: 'PUT', headers: { authorization: bearer(claims) }, body: Buffer.from('x') };
    assert.equal((await send(`${origin}/upload/s/f`, put)).status, 201);
    const { headers } = await send(`${origin}/upload/s/f`);
    assert.equal(headers['x-accel-cache-control'], 'max-age=1000, immutable, no-transform');
    now += 1_000_000;
    const gone = await send(`${origin}/upload/s/f`);
    assert.deepEqual([gone.status, gone.headers['x-accel-redirect']], [410, undefined]);
  });

  it('is logged with the status and the bytes that nginx will send', async (t) => {
    const { url, logLines } = await startWith(t, 'f');
    await send(url('f'));
    await send(url('f'), { headers: { range: 'bytes=2-4' } });
    await send(url('f'), { method: 'HEAD' });
    await eventually(async () => logLines.length === 3);
    assert.deepEqual(
      logLines.map(({ status, bytes, sentBy, aborted }) => [status, bytes, sentBy, aborted]),
      [
        [200, 10, 'nginx', undefined],
        [206, 3, 'nginx', undefined],
        [200, 0, undefined, undefined],
      ],
    );
  });
});
