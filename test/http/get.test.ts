import assert from 'node:assert/strict';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { send } from '../support/http-client.js';
import { type ServerOverrides, startServer } from '../support/server.js';
import { bearer, v1Token, v2Token } from '../support/tokens.js';

const modified = new Date('2024-02-03T04:05:06Z');
const text = '0123456789';

/** A server with one file, s/f.txt, put there by hand. */
async function startWithFile(t: TestContext, overrides: ServerOverrides = {}) {
  const server = await startServer(t, overrides);
  const file = path.join(server.storeDir, 's/f.txt');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await utimes(file, modified, modified);
  return { ...server, url: `${server.origin}/upload/s/f.txt` };
}

describe('a GET', () => {
  it('has the headers that a client needs to show, cache and resume', async (t) => {
    const { url } = await startWithFile(t);
    const { status, headers, body } = await send(url);
    assert.equal(status, 200);
    assert.equal(body.toString(), text);
    assert.equal(headers['content-length'], '10');
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(headers['last-modified'], 'Sat, 03 Feb 2024 04:05:06 GMT');
    assert.equal(headers.etag, `"${(modified.getTime() / 1000).toString(16)}-a"`);
    assert.equal(headers['accept-ranges'], 'bytes');
    assert.equal(headers['cache-control'], 'max-age=31536000, immutable, no-transform');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; media-src 'self'; frame-ancestors 'none'; sandbox",
    );
    assert.equal(headers['content-disposition'], undefined);
  });

  it('gets a file whose name has DEL and C1 control characters, as archives with old names do', async (t) => {
    const { origin, storeDir } = await startWithFile(t);
    await writeFile(path.join(storeDir, 's/bÃ¼\u0085\u007f.zip'), text);
    const { status, headers, body } = await send(`${origin}/upload/s/bÃ¼\u0085%7F.zip`);
    assert.deepEqual([status, body.toString()], [200, text]);
    const expected = /^attachment; filename="[ -~\xa0-\xff]+"; filename\*=UTF-8''b%C3%83%C2%BC%C2%85%7F\.zip$/;
    assert.match(headers['content-disposition'] ?? '', expected);
  });

  it('has the same headers as its HEAD', async (t) => {
    const { url } = await startWithFile(t);
    const { date: _getDate, ...get } = (await send(url)).headers;
    const head = await send(url, { method: 'HEAD' });
    const { date: _headDate, ...headHeaders } = head.headers;
    assert.equal(head.status, 200);
    assert.deepEqual(headHeaders, get);
  });

  const ranges: [string, string, string][] = [
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-2', '89', 'bytes 8-9/10'],
    ['bytes=0-0', '0', 'bytes 0-0/10'],
  ];
  for (const [range, part, contentRange] of ranges) {
    it(`of ${range} is 206`, async (t) => {
      const { url } = await startWithFile(t);
      const { status, headers, body } = await send(url, { headers: { range } });
      assert.deepEqual([status, body.toString(), headers['content-range']], [206, part, contentRange]);
      assert.equal(headers['content-length'], String(part.length));
      assert.equal(headers['cache-control'], 'max-age=31536000, immutable, no-transform');
    });
  }

  it('of a range outside the file is 416 with the size', async (t) => {
    const { url } = await startWithFile(t);
    const { status, headers } = await send(url, { headers: { range: 'bytes=10-' } });
    assert.deepEqual([status, headers['content-range'], headers['cache-control']], [416, 'bytes */10', 'no-store']);
  });

  it('of several ranges is the whole file', async (t) => {
    const { url } = await startWithFile(t);
    const { status, body } = await send(url, { headers: { range: 'bytes=0-1,3-4' } });
    assert.deepEqual([status, body.toString()], [200, text]);
  });

  it('of a range with an outdated If-Range is the whole file', async (t) => {
    const { url } = await startWithFile(t);
    const etag = String((await send(url)).headers.etag);
    const statusFor = async (ifRange: string) =>
      (await send(url, { headers: { range: 'bytes=0-1', 'if-range': ifRange } })).status;
    assert.equal(await statusFor(etag), 206);
    assert.equal(await statusFor('Sat, 03 Feb 2024 04:05:06 GMT'), 206);
    assert.equal(await statusFor('"other"'), 200);
  });

  it('of an unchanged file is 304 without a body', async (t) => {
    const { url } = await startWithFile(t);
    const etag = String((await send(url)).headers.etag);
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(url, { method, headers: { 'if-none-match': etag, range: 'bytes=0-1' } });
      assert.deepEqual([answer.status, answer.body.length, answer.headers.etag], [304, 0, etag]);
      assert.equal(answer.headers['cache-control'], 'max-age=31536000, immutable, no-transform');
      assert.equal(answer.headers['access-control-allow-origin'], '*');
    }
  });

  it('with a condition that fails is 412', async (t) => {
    const { url } = await startWithFile(t);
    assert.equal((await send(url, { headers: { 'if-match': '"other"' } })).status, 412);
  });

  it('of an empty file is 200, and so is its HEAD', async (t) => {
    const { url, storeDir } = await startWithFile(t);
    await writeFile(path.join(storeDir, 's/f.txt'), '');
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, body } = await send(url, { method });
      assert.deepEqual([status, headers['content-length'], body.length], [200, '0', 0]);
    }
  });

  it('ignores the query, such as the token of the PUT', async (t) => {
    const { url } = await startWithFile(t);
    assert.equal((await send(`${url}?v=${'0'.repeat(64)}`)).status, 200);
  });
});

describe('the type that is served', () => {
  async function typeAfterPut(t: TestContext, name: string, type: string) {
    const { origin } = await startServer(t);
    const url = `${origin}/upload/s/${encodeURIComponent(name)}`;
    const query = `?v2=${v2Token(`s/${name}`, 5, type)}`;
    const put = await send(url + query, {
      method: 'PUT',
      headers: { 'content-type': type },
      body: Buffer.from('hello'),
    });
    assert.equal(put.status, 201);
    const { headers } = await send(url);
    return [headers['content-type'], headers['content-disposition']];
  }

  it('is the uploaded one, inline, for images, video, audio and plain text', async (t) => {
    for (const type of ['image/png', 'video/mp4', 'audio/ogg; codecs=opus', 'text/plain; charset=utf-8']) {
      assert.deepEqual(await typeAfterPut(t, 'f', type), [type, undefined]);
    }
  });

  it('names the charset of plain text that names none, for GET, HEAD and ranges', async (t) => {
    const { origin, storeDir } = await startServer(t);
    await mkdir(path.join(storeDir, 's'));
    await writeFile(path.join(storeDir, 's/utf8.txt'), 'Grüße');
    await writeFile(path.join(storeDir, 's/latin1.txt'), Buffer.from('Grüße', 'latin1'));
    await writeFile(path.join(storeDir, 's/empty.txt'), '');
    for (const options of [{}, { method: 'HEAD' }, { headers: { range: 'bytes=0-1' } }]) {
      const typeOf = async (name: string) =>
        (await send(`${origin}/upload/s/${name}.txt`, options)).headers['content-type'];
      assert.equal(await typeOf('utf8'), 'text/plain; charset=utf-8');
      assert.equal(await typeOf('latin1'), 'text/plain; charset=unknown-8bit');
    }
    assert.equal((await send(`${origin}/upload/s/empty.txt`)).headers['content-type'], 'text/plain; charset=utf-8');
  });

  it('is an attachment for everything that a browser could run', async (t) => {
    for (const type of [
      'text/html',
      'image/svg+xml',
      'Image/SVG+XML;x=y',
      'application/pdf',
      'application/xhtml+xml',
    ]) {
      assert.deepEqual(await typeAfterPut(t, 'f.png', type), [type, 'attachment; filename=f.png']);
    }
  });

  it('is application/octet-stream for scripts and styles', async (t) => {
    for (const type of ['text/javascript', 'application/wasm', 'text/css', 'application/json; charset=utf-8']) {
      assert.deepEqual(await typeAfterPut(t, 'f.js', type), ['application/octet-stream', 'attachment; filename=f.js']);
    }
  });

  it('is application/octet-stream for an invalid type', async (t) => {
    for (const type of ['omemo', 'image/png, text/html', 'text']) {
      assert.deepEqual(await typeAfterPut(t, 'f', type), ['application/octet-stream', 'attachment; filename=f']);
    }
  });

  it('comes with the name in UTF-8 (RFC 8187)', async (t) => {
    const [, disposition] = await typeAfterPut(t, 'résumé "日本".html', 'text/html');
    assert.match(
      String(disposition),
      /^attachment; filename=".*"; filename\*=UTF-8''r%C3%A9sum%C3%A9%20%22%E6%97%A5%E6%9C%AC%22\.html$/,
    );
  });
});

describe('an expiry', () => {
  const claims = { slot: 's', filename: 'f.jpg', filesize: 5, filetype: 'image/webp', sub: 'a@b' };
  const start = 1_700_000_000;

  it('follows the current settings for older uploads, and the slot stays taken', async (t) => {
    const first = await startServer(t);
    const rawTarget = `/upload/s/story_1.txt?v=${v1Token('s/story_1.txt', 5)}`;
    const put = { method: 'PUT', body: Buffer.from('hello') };
    assert.equal((await send({ origin: first.origin, rawTarget }, put)).status, 201);

    let now = Date.now();
    const hour = 3_600_000;
    const retention = { expiresAfterMs: 28 * 24 * hour, rules: [{ match: 'story_*', expiresAfterMs: 24 * hour }] };
    const { origin } = await startServer(t, { now: () => now, storeDir: first.storeDir, retention });
    const url = `${origin}/upload/s/story_1.txt`;
    now += 23 * hour;
    const { status, headers } = await send(url);
    assert.equal(status, 200);
    const [, seconds = ''] = /^max-age=(\d+), immutable, no-transform$/.exec(String(headers['cache-control'])) ?? [];
    assert.ok(Number(seconds) > 3500 && Number(seconds) <= 3600, `max-age=${seconds}`);
    now += hour + 1;
    assert.equal((await send(url)).status, 410);
    assert.equal((await send({ origin, rawTarget }, put)).status, 409);
  });

  it('limits caching, ends the upload with 410, and survives a restart', async (t) => {
    let now = start * 1000;
    const first = await startServer(t, { now: () => now });
    const url = '/upload/s/f.jpg';
    const authorization = bearer({ ...claims, exp: start + 300, expires: start + 1000 });
    const put = { method: 'PUT', headers: { authorization }, body: Buffer.from('hello') };
    assert.equal((await send(first.origin + url, put)).status, 201);

    const { origin } = await startServer(t, { now: () => now, storeDir: first.storeDir });
    now = (start + 400) * 1000;
    const { status, headers } = await send(origin + url);
    assert.deepEqual(
      [status, headers['content-type'], headers['cache-control']],
      [200, 'image/webp', 'max-age=600, immutable, no-transform'],
    );

    now = (start + 1000) * 1000;
    for (const method of ['GET', 'HEAD']) {
      const gone = await send(origin + url, { method });
      assert.deepEqual([gone.status, gone.headers['cache-control'], gone.headers.etag], [410, 'no-store', undefined]);
    }
  });
});

describe('only uploads are reachable', () => {
  it('never a folder, the bookkeeping, a temporary file or a link', async (t) => {
    const { origin, storeDir } = await startWithFile(t);
    await symlink('/etc/hostname', path.join(storeDir, 's/link'));
    await symlink('/etc', path.join(storeDir, 'etc'));
    await writeFile(path.join(storeDir, '.prosody-filer/private'), 'x');
    const targets = {
      '/': 404,
      '/upload': 404,
      '/upload/': 404,
      '/upload/s': 404,
      '/upload/s/': 400,
      '/upload/s/link': 404,
      '/upload/etc/hostname': 404,
      '/upload/.prosody-filer/private': 404,
      '/upload/%2eprosody-filer/private': 404,
      '/upload/s/../.prosody-filer/private': 400,
      '/upload//etc/hostname': 400,
      '/upload/s/%2e%2e/%2e%2e/%2e%2e/etc/hostname': 400,
      '/upload/..%2f..%2fetc%2fhostname': 400,
      '/../../etc/hostname': 404,
      '/upload/s/f.txt/': 400,
      '/upload/s/f.txt/x': 404,
      '/upload/s/f.txt%00': 400,
      '/upload/s/missing': 404,
    };
    for (const [rawTarget, status] of Object.entries(targets)) {
      const answer = await send({ origin, rawTarget });
      assert.equal(answer.status, status, rawTarget);
      assert.match(answer.body.toString(), /^(There is no file at|No file can have) [a-z]+ URL\.\n$/i, rawTarget);
    }
  });
});

describe('CORS', () => {
  it('allows every origin to read every answer and send every PUT', async (t) => {
    const { url } = await startWithFile(t);
    const preflight = await send(url, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://chat.example.org',
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    assert.deepEqual([preflight.status, preflight.body.length], [204, 0]);
    for (const { headers } of [preflight, await send(url), await send(`${url}x`)]) {
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.equal(headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, PUT');
      const allowed = headers['access-control-allow-headers']?.split(', ') ?? [];
      // Browsers do not count Authorization among "*".
      for (const header of ['Authorization', 'Content-Type', 'Range', 'X-Requested-With', '*'])
        assert.ok(allowed.includes(header), header);
      assert.equal(headers['access-control-expose-headers'], 'Content-Length, Content-Range, ETag');
    }
  });

  it('sends no headers if it is switched off', async (t) => {
    const { url } = await startWithFile(t, { cors: false });
    for (const method of ['GET', 'OPTIONS', 'PUT']) {
      const names = Object.keys((await send(url, { method })).headers);
      assert.deepEqual(
        names.filter((name) => name.startsWith('access-control')),
        [],
      );
    }
  });
});
