import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Answer, type RequestOptions, send } from '../support/http-client.js';
import { sendByHttp2 } from '../support/http2-client.js';
import { layoutSettings, type NginxLayout, nginxLayouts } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { v2Token } from '../support/tokens.js';
import { put } from '../support/uploading.js';
import { startNginxLayout } from './nginx.js';

/** As Debian's nginx.conf has it. */
const besideServer = 'include /etc/nginx/mime.types; default_type application/octet-stream; gzip on; gzip_types *;';
const transports = { 'HTTP/2': sendByHttp2, 'HTTP/1.1': send };
const body = randomBytes(100_000);

/** Names of uploads, each with the type that its extension says. */
const uploads: Readonly<Record<string, [type: string, content: Buffer]>> = {
  'f.png': ['image/png', body],
  'a b+c%41%2F&d.txt': ['text/plain', Buffer.from('Grüße'.repeat(20_000))],
  'a#b?c;d=e.html': ['text/html', Buffer.from('<p>'.repeat(1000))],
  '..日本 résumé.svg': ['image/svg+xml', body],
  none: ['application/octet-stream', body],
  'empty.txt': ['text/plain', Buffer.alloc(0)],
};

/** Symbolic links, which nginx follows where it does not ask. */
const links = ['slot/link', 'folder/hostname'];

/** Paths below the base URL at which nothing may be found. */
const absent = [
  ...['', 'slot', 'slot/', 'slot/absent', 'slot/none/x', 'slot/..'],
  ...['.prosody-filer', '.prosody-filer/', '.prosody-filer/x', '%2eprosody-filer/x', '.Prosody-Filer/x'],
];

const senders = { a: 'prosody-filer', b: 'nginx', c: 'nginx' } as const;
/** Status, bytes, sentBy and aborted of what prosody-filer logs of a download and a range of it. */
const logged = {
  a: [
    [200, body.length, undefined, undefined],
    [206, 3, undefined, undefined],
  ],
  b: [
    [200, body.length, 'nginx', undefined],
    [206, 3, 'nginx', undefined],
  ],
  c: [[206, 3, undefined, undefined]],
} as const;

/** A filer that nginx stands in front of, and one that answers by itself, on the same store. */
async function startLayout(t: TestContext, layout: NginxLayout) {
  const storeDir = await tempDir(t);
  const settings = { storeDir, secret: 'the secret', maxFileSize: '1MB' };
  const direct = await startProgram(t, settings);
  const filer = layout === 'b' ? await startProgram(t, { ...settings, ...layoutSettings[layout] }) : direct;
  return {
    direct,
    filer,
    secret: filer.secret,
    storeDir,
    nginx: await startNginxLayout(t, layout, filer, besideServer),
  };
}

function targetOf(name: string): string {
  return `/upload/slot/${encodeURIComponent(name)}`;
}

function putTarget(name: string, size: number, type: string, secret: string): string {
  return `${targetOf(name)}?v2=${v2Token(`slot/${name}`, size, type, secret)}`;
}

/** The parts of an answer that a client sees, without the headers of the connection. */
function visible({ status, headers, body }: Answer) {
  const { date, server, connection, 'keep-alive': keepAlive, ...rest } = headers;
  return { status, headers: { ...rest }, size: body.length, digest: createHash('sha256').update(body).digest('hex') };
}

/** The differences that a layout may make. */
function withLicence(layout: NginxLayout, answer: Answer): ReturnType<typeof visible> {
  const seen = visible(answer);
  // nginx announces ranges also for answers without them.
  if (layout === 'b' && seen.status === 206) seen.headers['accept-ranges'] = 'bytes';
  // nginx cannot name the file.
  const disposition = seen.headers['content-disposition'];
  if (layout === 'c' && disposition !== undefined)
    seen.headers['content-disposition'] = disposition.replace(/^attachment;.*/, 'attachment');
  return seen;
}

const simpleDownloads: RequestOptions[] = [
  {},
  { method: 'HEAD' },
  { headers: { 'accept-encoding': 'gzip' } },
  { headers: { range: 'bytes=0-' } },
  { headers: { range: 'bytes=-5' } },
];

/** Conditional requests for an upload with this entity tag and date. */
function conditionalDownloads(etag: string, modified: string): RequestOptions[] {
  const future = 'Fri, 01 Jan 2100 00:00:00 GMT';
  const past = 'Mon, 01 Jan 2001 00:00:00 GMT';
  const ranges = ['2-4', '-0', '9999999-', '4-2', '0-1,3-4', '2-18446744073709551615', 'x'];
  const conditions: Record<string, string>[] = [
    ...ranges.map((range) => ({ range: `bytes=${range}` })),
    ...[etag, '"other"', `W/${etag}`, modified, past].map((ifRange) => ({ range: 'bytes=2-4', 'if-range': ifRange })),
    ...[etag, `W/${etag}`, `"other", ${etag}`, '"other"', '*'].flatMap((tag) => [
      { 'if-none-match': tag },
      { 'if-none-match': tag, 'if-modified-since': past },
      { 'if-match': tag },
      { 'if-match': tag, 'if-unmodified-since': past },
    ]),
    ...[modified, future, past, 'no date'].flatMap((date) => [
      { 'if-modified-since': date },
      { 'if-unmodified-since': date },
      { 'if-unmodified-since': date, range: 'bytes=2-4' },
    ]),
  ];
  return ['GET', 'HEAD'].flatMap((method) => conditions.map((headers) => ({ method, headers })));
}

for (const layout of nginxLayouts) {
  describe(`nginx.example.conf, layout (${layout})`, { skip: missingPeer('nginx', 'openssl') }, () => {
    for (const [transport, sendIt] of Object.entries(transports)) {
      it(`answers downloads by ${transport} as prosody-filer does, header for header`, async (t) => {
        const { direct, nginx, secret, storeDir } = await startLayout(t, layout);
        const check = async (rawTarget: string, options: RequestOptions) => {
          const answer = await sendIt({ origin: nginx, rawTarget }, options);
          const expected = await send({ origin: direct.origin, rawTarget }, options);
          const told = `${rawTarget} ${JSON.stringify(options)}`;
          assert.deepEqual(withLicence(layout, answer), withLicence(layout, expected), told);
          return expected.headers;
        };
        for (const [name, [type, content]] of Object.entries(uploads)) {
          const to = { origin: nginx, rawTarget: putTarget(name, content.length, type, secret) };
          const options = { method: 'PUT', headers: { 'content-type': type }, body: content };
          assert.equal((await sendIt(to, options)).status, 201, name);
          for (const options of simpleDownloads) await check(targetOf(name), options);
        }
        const { etag = '', 'last-modified': modified = '' } = await check(targetOf('f.png'), {});
        for (const options of conditionalDownloads(etag, modified)) await check(targetOf('f.png'), options);
        await symlink('/etc/hostname', path.join(storeDir, 'slot/link'));
        await symlink('/etc', path.join(storeDir, 'folder'));
        for (const below of [...absent, ...(layout === 'c' ? [] : links)]) await check(`/upload/${below}`, {});
      });
    }

    it('answers uploads, refusals and preflights as prosody-filer does', async (t) => {
      const { direct, nginx, secret } = await startLayout(t, layout);
      const put = { method: 'PUT', headers: { 'content-type': 'image/png' }, body };
      const granted = putTarget('f.png', body.length, 'image/png', secret);
      assert.equal((await sendByHttp2({ origin: nginx, rawTarget: granted }, put)).status, 201);
      const large = Buffer.alloc(1_000_001);
      const tooLarge = putTarget('large', large.length, 'image/png', secret);
      const preflight = { method: 'OPTIONS', headers: { 'access-control-request-method': 'PUT' } };
      const requests: [rawTarget: string, status: number, options: RequestOptions][] = [
        [granted, 409, put],
        [targetOf('f.png'), 403, put],
        [tooLarge, 413, { ...put, body: large }],
        [targetOf('f.png'), 204, preflight],
        [targetOf('f.png'), 405, { method: 'DELETE' }],
        [targetOf('f.png'), 405, { method: 'POST', body }],
      ];
      for (const [rawTarget, status, options] of requests) {
        const answer = await sendByHttp2({ origin: nginx, rawTarget }, options);
        assert.equal(answer.status, status, rawTarget);
        assert.deepEqual(visible(answer), visible(await send({ origin: direct.origin, rawTarget }, options)));
      }
    });

    it(`has ${senders[layout]} send the bytes of a download, and ends no connection early`, async (t) => {
      const { filer, nginx } = await startLayout(t, layout);
      assert.equal((await put({ ...filer, origin: nginx }, 's/f.png', body)).status, 201);
      assert.ok((await send(`${nginx}/upload/s/f.png`)).body.equals(body));
      await send(`${nginx}/upload/s/f.png`, { headers: { range: 'bytes=2-4' } });
      await filer.waitForLog(({ status }) => status === 206);
      const lines = filer.logLines().filter(({ method }) => method === 'GET');
      assert.deepEqual(
        lines.map(({ status, bytes, sentBy, aborted }) => [status, bytes, sentBy, aborted]),
        logged[layout],
      );
    });
  });
}

describe('nginx.example.conf, layout (b)', { skip: missingPeer('nginx', 'openssl') }, () => {
  it('refuses clients in the internal location', async (t) => {
    const { filer, nginx } = await startLayout(t, 'b');
    assert.equal((await put({ ...filer, origin: nginx }, 's/f', body)).status, 201);
    assert.equal((await send(`${nginx}/internal-uploads/s/f`)).status, 404);
  });

  it('forbids caching of errors if nginx cannot read the files', async (t) => {
    const filer = await startProgram(t, layoutSettings.b);
    const nginx = await startNginxLayout(t, 'b', { ...filer, storeDir: '/nonexistent' });
    assert.equal((await put({ ...filer, origin: nginx }, 's/f', body)).status, 201);
    const { status, headers } = await send(`${nginx}/upload/s/f`);
    assert.deepEqual([status, headers['cache-control'], headers['access-control-allow-origin']], [404, undefined, '*']);
  });
});
