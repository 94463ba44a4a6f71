import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { connectTo } from '../support/raw-socket.js';
import { type ServerOverrides, startServer } from '../support/server.js';
import { bearer, deleteToken, jwt, slotTyp, v1Token, v2Token } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';

const body = Buffer.from('hello');
const now = 1_700_000_000_000;
const claims = { slot: 's', filename: 'f.jpg', filesize: 5, filetype: 'image/webp', sub: 'a@b', exp: now / 1000 + 300 };

function slotToken(different: object = {}): string {
  return jwt({ ...claims, path: 's/f.jpg', ...different }, { typ: slotTyp });
}

describe('a valid PUT', () => {
  const tokens: Record<string, { query?: string; headers?: Record<string, string> }> = {
    v1: { query: `?v=${v1Token('s/f.jpg', 5)}`, headers: { 'content-type': 'image/webp' } },
    v2: { query: `?v2=${v2Token('s/f.jpg', 5, 'image/webp')}`, headers: { 'content-type': 'image/webp' } },
    token: { query: `?token=${v2Token('s/f.jpg', 5, 'image/webp')}`, headers: { 'content-type': 'image/webp' } },
    Bearer: { headers: { authorization: bearer(claims) } },
    slot: { query: `?slot=${slotToken()}`, headers: { 'content-type': 'omemo' } },
  };
  for (const [scheme, { query = '', headers = {} }] of Object.entries(tokens)) {
    it(`with ${scheme} is 201, and its GET has its type`, async (t) => {
      const { origin } = await startServer(t, { now: () => now });
      const put = await send(`${origin}/upload/s/f.jpg${query}`, { method: 'PUT', headers, body });
      assert.equal(put.status, 201);
      const get = await send(`${origin}/upload/s/f.jpg`);
      assert.deepEqual([get.status, get.body.toString(), get.headers['content-type']], [200, 'hello', 'image/webp']);
    });
  }

  const anyTypes = ['omemo', '', 'application/json', 'multipart/form-data', 'text/', `x/${'y'.repeat(253)}`, ';', 'é'];
  for (const type of anyTypes) {
    it(`may have the Content-Type ${JSON.stringify(type.slice(0, 30))}`, async (t) => {
      const { origin } = await startServer(t);
      for (const content of [body, Buffer.alloc(0)]) {
        const url = `${origin}/upload/s/${content.length}?v=${v1Token(`s/${content.length}`, content.length)}`;
        const headers = { 'content-type': Buffer.from(type).toString('latin1') };
        assert.equal((await send(url, { method: 'PUT', headers, body: content })).status, 201);
      }
    });
  }

  it('may be empty without a Content-Length, and chunked if it is empty all the same', async (t) => {
    const { origin } = await startServer(t);
    for (const [name, rest] of [
      ['a', '\r\n'],
      ['b', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
      ['c', 'Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n'],
    ] as const) {
      const connection = await connectTo(t, origin);
      connection.socket.write(`PUT /upload/s/${name}?v=${v1Token(`s/${name}`, 0)} HTTP/1.1\r\nHost: x\r\n${rest}`);
      await connection.waitFor(/201 Created/);
      const get = await send(`${origin}/upload/s/${name}`);
      assert.deepEqual([get.status, get.headers['content-length']], [200, '0']);
    }
  });

  it('may be large, and arrives whole', async (t) => {
    const { origin } = await startServer(t);
    const large = randomBytes(20_000_000);
    const url = `${origin}/upload/s/f`;
    assert.equal((await send(`${url}?v=${v1Token('s/f', large.length)}`, { method: 'PUT', body: large })).status, 201);
    assert.ok((await send(url)).body.equals(large));
  });

  it('may be below a base URL of any depth, or at the root', async (t) => {
    for (const baseSegments of [[], ['a', 'b c']]) {
      const { origin, storeDir } = await startServer(t, { baseSegments });
      const base = [origin, ...baseSegments.map(encodeURIComponent)].join('/');
      assert.equal((await send(`${base}/s/f?v=${v1Token('s/f', 5)}`, { method: 'PUT', body })).status, 201);
      assert.deepEqual(await filesIn(storeDir), ['s/f']);
    }
  });

  it('may name its target in absolute form', async (t) => {
    const { origin } = await startServer(t);
    const rawTarget = `http://uploads.example.org/upload/s/f?v=${v1Token('s/f', 5)}`;
    assert.equal((await send({ origin, rawTarget }, { method: 'PUT', body })).status, 201);
  });

  it('is 201 for one of several that race for a slot, and 409 for the others', async (t) => {
    const { origin } = await startServer(t);
    const bodies = Array.from({ length: 30 }, (_, index) => Buffer.from(String(index).padStart(200_000)));
    const url = `${origin}/upload/s/f`;
    const answers = await Promise.all(
      bodies.map((content) => send(`${url}?v=${v1Token('s/f', 200_000)}`, { method: 'PUT', body: content })),
    );
    const winners = bodies.filter((_, index) => answers[index]?.status === 201);
    assert.equal(winners.length, 1);
    assert.equal(answers.filter(({ status }) => status === 409).length, 29);
    assert.ok((await send(url)).body.equals(winners[0] ?? Buffer.alloc(0)));
  });
});

interface Refusal {
  readonly status: number;
  readonly target?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly settings?: ServerOverrides;
  readonly reason: RegExp;
  /** What the client is told. */
  readonly told?: RegExp;
}

/** One sentence, without a path or a number of bytes. */
const aSentence = /^[A-Z][^./\d]+\.\n$/;

const good = `?v=${v1Token('s/f.jpg', 5)}`;
const refusals: Record<string, Refusal> = {
  'without a token': { status: 403, target: '/upload/s/f.jpg', reason: /needs slot, v2, token or v/ },
  'with a wrong token': { status: 403, target: `/upload/s/f.jpg?v=${'0'.repeat(64)}`, reason: /another secret/ },
  'with a repeated parameter': { status: 403, target: `/upload/s/f.jpg${good}&v=x`, reason: /"v" is repeated/ },
  'with a token for another size': {
    status: 403,
    target: `/upload/s/f.jpg?v=${v1Token('s/f.jpg', 6)}`,
    reason: /5 bytes/,
  },
  'with Basic authorization': {
    status: 401,
    target: '/upload/s/f.jpg',
    headers: { authorization: 'Basic eDp5' },
    reason: /does not hold a Bearer token/,
  },
  'with an expired Bearer token': {
    status: 403,
    target: '/upload/s/f.jpg',
    headers: { authorization: bearer({ ...claims, exp: now / 1000 - 7 }) },
    reason: /expired 7 s ago/,
  },
  'with a Bearer token for another size': {
    status: 413,
    target: '/upload/s/f.jpg',
    headers: { authorization: bearer({ ...claims, filesize: 6 }) },
    reason: /for 6 bytes, the PUT has 5/,
  },
  'with an expired slot token': {
    status: 403,
    target: `/upload/s/f.jpg?slot=${slotToken({ exp: now / 1000 - 7 })}`,
    reason: /slot token: it expired 7 s ago/,
  },
  'with a slot token for another size': {
    status: 413,
    target: `/upload/s/f.jpg?slot=${slotToken({ filesize: 6 })}`,
    reason: /for 6 bytes, the PUT has 5/,
  },
  'with a slot token for another path': {
    status: 403,
    target: `/upload/s/g.jpg?slot=${slotToken()}`,
    reason: /slot token: it was made for another path/,
  },
  'over maxFileSize': {
    status: 413,
    settings: { maxFileSize: 4 },
    reason: /exceed maxFileSize, 4/,
    told: /^The file is larger than 4 B, the limit of this server\.\n$/,
  },
  'to a path with dots': { status: 400, target: `/upload/s/..?v=${v1Token('s/..', 5)}`, reason: /segment ".."/ },
  'with an encoded slash': { status: 400, target: '/upload/s/a%2fb', reason: /encoded slash/ },
  'that is not UTF-8': { status: 400, target: '/upload/s/%zz', reason: /percent-encoded UTF-8/ },
  'outside of the base URL': { status: 404, target: `/other/s/f.jpg${good}`, reason: /not below \/upload\// },
  'to a base URL without its slash': { status: 404, target: `/uploads/f.jpg${good}`, reason: /trailing slash/ },
  'to the reserved folder': { status: 404, target: '/upload/.prosody-filer/f', reason: /reserved folder/ },
  'in another type, strictly': {
    status: 403,
    target: `/upload/s/f.jpg?v2=${v2Token('s/f.jpg', 5, 'image/jpeg')}`,
    headers: { 'content-type': 'image/png' },
    settings: { strictContentType: true },
    reason: /strictContentType/,
  },
  'as a POST': { status: 405, method: 'POST', reason: /method POST/ },
  'as a PROPFIND': { status: 405, method: 'PROPFIND', reason: /method PROPFIND/ },
  'as a DELETE without deleteSecret': { status: 405, method: 'DELETE', reason: /deleteSecret/ },
  'as a DELETE with a wrong token': {
    status: 403,
    method: 'DELETE',
    target: `/upload/s/f.jpg?token=${deleteToken('s/f.jpg', 'other')}`,
    settings: { deleteSecret: 'd' },
    reason: /delete token/,
  },
  'without a Content-Length': { status: 411, headers: { 'transfer-encoding': 'chunked' }, reason: /no Content-Length/ },
};

describe('the allowed methods', () => {
  for (const [deleteSecret, methods] of [
    [undefined, 'OPTIONS, HEAD, GET, PUT'],
    ['d', 'OPTIONS, HEAD, GET, PUT, DELETE'],
  ] as const) {
    it(`are ${methods} in 405 and OPTIONS, and unchanged for web clients`, async (t) => {
      const { origin } = await startServer(t, { deleteSecret });
      for (const [method, status] of [
        ['POST', 405],
        ['PROPFIND', 405],
        ['OPTIONS', 204],
      ] as const) {
        const answer = await send(`${origin}/upload/s/f`, { method });
        assert.deepEqual([answer.status, answer.headers.allow], [status, methods]);
        assert.equal(answer.headers['access-control-allow-methods'], 'OPTIONS, HEAD, GET, PUT');
      }
    });
  }
});

describe('a PUT is refused', () => {
  for (const [
    what,
    { status, target, method = 'PUT', headers = {}, settings, reason, told = aSentence },
  ] of Object.entries(refusals)) {
    it(`${what} (${status}), stores nothing, tells the client a sentence, and the log the whole reason`, async (t) => {
      const { origin, storeDir, logLines } = await startServer(t, { now: () => now, ...settings });
      const rawTarget = target ?? `/upload/s/f.jpg${good}`;
      const content = 'transfer-encoding' in headers ? {} : { body };
      const answer = await send({ origin, rawTarget }, { method, headers, ...content });
      assert.equal(answer.status, status);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined);
      assert.equal(answer.headers.allow, status === 405 ? 'OPTIONS, HEAD, GET, PUT' : undefined);
      assert.match(answer.body.toString(), told);
      assert.equal(answer.body.includes(storeDir), false);
      assert.deepEqual(await filesIn(storeDir), []);
      await eventually(async () => logLines.length === 1);
      assert.match(String(logLines[0]?.['reason']), reason);
    });
  }

  it('if it is chunked and not empty (411), also with a token for an empty file', async (t) => {
    const { origin, storeDir, logLines } = await startServer(t);
    const connection = await connectTo(t, origin);
    connection.socket.write(
      `PUT /upload/s/f?v=${v1Token('s/f', 0)} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`,
    );
    await connection.waitFor(/^HTTP\/1\.1 411 [\s\S]*no Content-Length/);
    assert.deepEqual(await filesIn(storeDir), []);
    await eventually(async () => logLines.length === 1);
    assert.match(String(logLines[0]?.['reason']), /its body is not empty/);
  });

  it('if the upload exists (409), which stays unchanged', async (t) => {
    const { origin } = await startServer(t);
    const url = `${origin}/upload/s/f.jpg`;
    await send(url + good, { method: 'PUT', body });
    assert.equal((await send(url + good, { method: 'PUT', body: Buffer.from('other') })).status, 409);
    assert.equal((await send(url)).body.toString(), 'hello');
  });

  it('if the upload exists (409), before the body arrives', async (t) => {
    const { origin } = await startServer(t);
    await send(`${origin}/upload/s/f.jpg${good}`, { method: 'PUT', body });
    const connection = await connectTo(t, origin);
    connection.socket.write(`PUT /upload/s/f.jpg${good} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe`);
    await connection.waitFor(/^HTTP\/1\.1 409 Conflict/);
  });

  it('while maxUploads uploads run (503), and accepted when one has ended', async (t) => {
    const { origin } = await startServer(t, { maxUploads: 1 });
    const connection = await connectTo(t, origin);
    const head = `PUT /upload/s/other?v=${v1Token('s/other', 5)} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n`;
    connection.socket.write(`${head}Expect: 100-continue\r\n\r\n`);
    await connection.waitFor(/100 Continue/);
    const url = `${origin}/upload/s/f.jpg${good}`;
    const { status, headers } = await send(url, { method: 'PUT', body });
    assert.deepEqual([status, headers['retry-after']], [503, '5']);
    connection.socket.write('hello');
    await connection.waitFor(/201 Created/);
    assert.equal((await send(url, { method: 'PUT', body })).status, 201);
  });

  it('if a file is in the way (409)', async (t) => {
    const { origin, storeDir } = await startServer(t);
    await writeFile(path.join(storeDir, 's'), 'x');
    assert.equal((await send(`${origin}/upload/s/f.jpg${good}`, { method: 'PUT', body })).status, 409);
  });

  it('if the path is too long for the filesystem (414)', async (t) => {
    const { origin } = await startServer(t);
    const long = Array.from({ length: 30 }, () => 'x'.repeat(200)).join('/');
    const answer = await send(`${origin}/upload/${long}?v=${v1Token(long, 5)}`, { method: 'PUT', body });
    assert.equal(answer.status, 414);
  });
});

describe("Metronome's DELETE", () => {
  it('removes the upload with its sidecar, and is 204 if there is no upload', async (t) => {
    const { origin, storeDir } = await startServer(t, { deleteSecret: 'd' });
    const url = `${origin}/upload/s/tr%c3%a8s.jpg`;
    const query = `?token=${v2Token('s/très.jpg', 5, 'image/webp')}`;
    const headers = { 'content-type': 'image/webp' };
    assert.equal((await send(url + query, { method: 'PUT', headers, body })).status, 201);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const answer = await send(`${url}?token=${deleteToken('s/très.jpg', 'd')}`, { method: 'DELETE' });
      assert.deepEqual([answer.status, answer.body.length], [204, 0]);
    }
    assert.equal((await send(url)).status, 404);
    assert.deepEqual(await filesIn(storeDir), []);
  });

  it('removes no folder', async (t) => {
    const { origin, storeDir } = await startServer(t, { deleteSecret: 'd' });
    await mkdir(path.join(storeDir, 's'));
    await writeFile(path.join(storeDir, 's/f'), 'x');
    await send(`${origin}/upload/s?token=${deleteToken('s', 'd')}`, { method: 'DELETE' });
    assert.deepEqual(await filesIn(storeDir), ['s/f']);
  });
});
