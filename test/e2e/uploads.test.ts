import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { cephPrograms, sharedCeph } from '../support/ceph.js';
import { send, splitUrl } from '../support/http-client.js';
import { layoutSettings, type NginxLayout, nginxLayouts } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { type Program, startProgram } from '../support/program.js';
import { startOnBucket } from '../support/s3-program.js';
import { pathInBucket } from '../support/s3-service.js';
import { filesIn } from '../support/tree.js';
import { type Debian, debians, thisDebian } from './debian.js';
import { ejabberdRefusal, startEjabberd } from './ejabberd.js';
import { startNginxLayout } from './nginx.js';
import { sendByProfanity } from './profanity.js';
import { type ModuleOptions, startProsody } from './prosody.js';
import { connectXmppClient, type Slot, type XmppClient, type XmppServer } from './xmpp-client.js';

interface Issuer {
  readonly name: string;
  readonly whyNot: () => string | undefined;
  readonly start: (t: TestContext, filer: Program) => Promise<XmppServer>;
  /** The status of a PUT with one byte more than signed. */
  readonly tooLongStatus: number;
  readonly signsEmptyFiles: boolean;
  /** The nginx in front of prosody-filer. */
  readonly front?: NginxLayout;
  /** Whether uploads lie in a bucket. */
  readonly isOnS3?: boolean;
}

/** prosody-filer, and a look into its store. */
interface Filer extends Program {
  stored(): Promise<string[]>;
  bytesOf(path: string): Promise<Uint8Array | undefined>;
}

type RequestSlot = XmppClient['requestSlot'];

interface Upload {
  readonly filename: string;
  readonly contentType?: string;
  readonly body: Buffer;
}

const issuers: readonly Issuer[] = [
  ...debians.flatMap((debian) => [
    prosody('mod_http_upload_external v1', 'v1', 403, debian),
    prosody('mod_http_upload_external v2', 'v2', 403, debian),
    prosody('mod_http_file_share', 'file_share', 413, debian),
    ejabberd(debian),
  ]),
  ...nginxLayouts.map((front) => ({
    ...prosody(`mod_http_upload_external v2 behind nginx, layout (${front})`, 'v2', 403),
    whyNot: () => missingPeer('prosody', 'prosodyctl', 'nginx', 'openssl'),
    front,
  })),
  ...(['v2', 'file_share'] as const).map((protocol) => ({
    ...prosody(`${protocol} with uploads on S3`, protocol, protocol === 'v2' ? 403 : 413),
    whyNot: () => missingPeer('prosody', 'prosodyctl', ...cephPrograms),
    isOnS3: true,
  })),
];

const text = Buffer.from('You have a new message.\n');
const uploads: readonly Upload[] = [
  { filename: 'hello world.txt', contentType: 'text/plain; charset=utf-8', body: text },
  {
    filename: '日本語 résumé+plus&amp%41.pdf',
    contentType: 'application/pdf',
    body: randomBytes(1000),
  },
  { filename: 'a#b?c;d=e.html', contentType: 'text/html', body: text },
  { filename: 'empty.txt', contentType: 'text/plain', body: Buffer.alloc(0) },
  { filename: 'without a type', body: text },
  { filename: 'five-mebibytes.mp4', contentType: 'video/mp4', body: randomBytes(5 * 2 ** 20) },
];

for (const issuer of issuers) {
  test(issuer.name, async (t) => {
    const reason = issuer.whyNot();
    if (reason !== undefined) return t.skip(reason);
    const filer = await startFiler(t, issuer);
    const server = await issuer.start(t, filer);
    const client = await connectXmppClient(t, server);
    const slots: Slot[] = [];
    const requestSlot: RequestSlot = async (request) => {
      const slot = await client.requestSlot(request);
      slots.push(slot);
      return slot;
    };

    const intact = await testUploads(t, issuer, filer, requestSlot);
    // It does not know the certificate of the nginx in front of some.
    if (issuer.front === undefined) {
      await t.test('Profanity uploads a file and downloads it', (t) => checkProfanity(t, server));
    }
    await t.test("refuses to store a file named '..'", () => checkRefusedName(filer, requestSlot));
    await t.test('logs who uploaded what', () => checkRequestLog(filer, requestSlot));
    await t.test('logs no token', async () => {
      await filer.stop();
      const tokens = slots.flatMap(tokensOf);
      assert.ok(tokens.length >= slots.length);
      for (const token of tokens) assert.ok(!filer.output().includes(token));
    });
    await client.stop();
    t.diagnostic(`${slots.length} slots tried, ${intact} uploads came back byte for byte`);
  });
}

/** Starts prosody-filer; behind an nginx it has the URLs of that. */
async function startFiler(t: TestContext, { front, isOnS3 }: Issuer): Promise<Filer> {
  if (isOnS3) return startFilerOnS3(t);
  const filer = await startProgram(t, front === undefined ? {} : layoutSettings[front]);
  const { storeDir } = filer;
  const inside = { stored: () => filesIn(storeDir), bytesOf: (path: string) => readFile(join(storeDir, path)) };
  if (front === undefined) return { ...filer, ...inside };
  const origin = await startNginxLayout(t, front, filer, 'default_type application/octet-stream;');
  return { ...filer, ...inside, origin, uploadUrl: `${origin}/upload/` };
}

const sharedBuckets = sharedCeph();

async function startFilerOnS3(t: TestContext): Promise<Filer> {
  const ceph = await sharedBuckets();
  const filer = await startOnBucket(t, ceph);
  const bytesOf = async (path: string) => {
    const command = new GetObjectCommand({ Bucket: filer.bucket, Key: pathInBucket + path });
    return (await ceph.client.send(command)).Body?.transformToByteArray();
  };
  // Notes of expiries are left by uploads that expire.
  const stored = async () => (await filer.contents()).filter((name) => !name.startsWith('.prosody-filer/'));
  return { ...filer, stored, bytesOf };
}

function prosody(
  module: string,
  issuer: ModuleOptions['issuer'],
  tooLongStatus: number,
  debian: Debian = thisDebian,
): Issuer {
  return {
    name: `${debian.prosody} ${module}`,
    whyNot: () => debian.missingPeer('prosody', 'prosodyctl'),
    start: (t, { uploadUrl, secret }) => startProsody(t, { issuer, baseUrl: uploadUrl, secret }, debian),
    tooLongStatus,
    signsEmptyFiles: true,
  };
}

function ejabberd(debian: Debian): Issuer {
  return {
    name: `${debian.ejabberd} mod_http_upload`,
    whyNot: () => ejabberdRefusal(debian),
    start: (t, { uploadUrl, secret }) => startEjabberd(t, { baseUrl: uploadUrl, secret }, debian),
    tooLongStatus: 403,
    signsEmptyFiles: false,
  };
}

/** Returns how many uploads came back byte for byte. */
async function testUploads(t: TestContext, issuer: Issuer, filer: Filer, requestSlot: RequestSlot): Promise<number> {
  let intact = 0;
  for (const upload of uploads) {
    const { filename, contentType, body } = upload;
    const type = contentType === undefined ? {} : { contentType };
    const slot = (): Promise<Slot> => requestSlot({ filename, ...type, size: body.length });
    if (body.length === 0 && !issuer.signsEmptyFiles) {
      await t.test(`gives no slot for '${filename}' of size 0`, async () => {
        await assert.rejects(slot, { condition: 'bad-request' });
      });
      continue;
    }
    await t.test(`uploads '${filename}' and downloads it unchanged`, async () => {
      await checkUpload(issuer, filer, await slot(), upload);
      intact += 1;
    });
  }
  return intact;
}

async function checkUpload(
  { tooLongStatus, front }: Issuer,
  filer: Filer,
  slot: Slot,
  { contentType, body }: Upload,
): Promise<void> {
  // Sent as they are: ejabberd since 25.08 leaves letters other than ASCII raw.
  const { url: putUrl } = slot.put;
  const { get: getUrl } = slot;
  const type = contentType === undefined ? {} : { 'content-type': contentType };
  const upload = { method: 'PUT', headers: { ...slot.put.headers, ...type }, body };

  const before = await filer.stored();
  const longer = Buffer.concat([body, Buffer.of(0)]);
  assert.equal((await send(putUrl, { ...upload, body: longer })).status, tooLongStatus);
  assert.deepEqual(await filer.stored(), before);
  assert.equal((await send(getUrl)).status, 404);

  assert.equal((await send(putUrl, upload)).status, 201);
  const got = await send(getUrl);
  assert.equal(got.status, 200);
  assert.ok(got.body.equals(body), 'the bytes that came back are not those uploaded');
  const expectedType = contentType ?? 'application/octet-stream';
  // In layout (c) nginx goes by the name.
  const sentType = front === 'c' ? expectedType.replace(/;.*/, '') : expectedType;
  assert.equal(got.headers['content-type'], sentType === 'text/plain' ? `${sentType}; charset=utf-8` : sentType);
  const head = await send(getUrl, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers['content-length'], String(body.length));
  assert.equal(got.headers['content-length'], String(body.length));
  const path = getUrl.slice(filer.uploadUrl.length).split('/').map(decodeURIComponent).join('/');
  assert.ok(body.equals((await filer.bytesOf(path)) ?? Buffer.of()));
  const part = await send(getUrl, { headers: { range: 'bytes=1-2' } });
  assert.deepEqual([part.status, part.body], body.length === 0 ? [416, part.body] : [206, body.subarray(1, 3)]);

  assert.equal((await send(putUrl, upload)).status, 409);
}

async function checkProfanity(t: TestContext, server: XmppServer): Promise<void> {
  const reason = missingPeer('profanity', 'tmux');
  if (reason !== undefined) return t.skip(reason);
  const body = randomBytes(100_000);
  assert.ok(body.equals(await sendByProfanity(t, server, 'photo.jpg', body)));
}

async function checkRefusedName(filer: Filer, requestSlot: RequestSlot): Promise<void> {
  const before = await filer.stored();
  const { put } = await requestSlot({ filename: '..', size: text.length });
  assert.match(put.url, /\/\.\.(\?|$)/u);
  const answer = await send(put.url, { method: 'PUT', headers: put.headers, body: text });
  assert.equal(answer.status, 400);
  assert.deepEqual(await filer.stored(), before);
}

async function checkRequestLog(filer: Program, requestSlot: RequestSlot): Promise<void> {
  const { put } = await requestSlot({ filename: 'logged.txt', size: text.length });
  await send(put.url, { method: 'PUT', headers: put.headers, body: text });
  const [path] = splitUrl(put.url).rawTarget.split('?');
  const line = await filer.waitForLog((line) => line['method'] === 'PUT' && line['path'] === path);
  assert.equal(line['status'], 201);
  assert.equal(line['bytes'], text.length);
  assert.equal(typeof line['durationMs'], 'number');
  assert.equal(typeof line['reqId'], 'string');
  if ('Authorization' in put.headers) assert.equal(line['uploader'], 'alice@localhost');
}

/** Texts that must not be logged: the query's digest, the JWT, and the JWT's signature alone. */
function tokensOf({ put }: Slot): string[] {
  const digests = /(?<==)[0-9a-f]{64}$/u.exec(put.url) ?? [];
  const jwts = Object.values(put.headers).map((value) => value.replace(/^Bearer /u, ''));
  return [...digests, ...jwts, ...jwts.flatMap((jwt) => jwt.split('.').slice(-1))];
}
