import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FilerError } from '../../src/errors.js';
import { Metrics } from '../../src/metrics.js';
import { signPut } from '../../src/token/sign-token.js';
import { unlimited } from '../../src/units.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { quotaTable } from '../support/quota-table.js';
import { connectTo } from '../support/raw-socket.js';
import { type ServerOverrides, startServer, type TestServer } from '../support/server.js';
import { bearer, deleteToken, secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { ids, uploaderIds } from '../support/uploader-ids.js';
import { beginPut, putHead, put as putInto } from '../support/uploading.js';

const kB = 1000;
const romeo = 'romeo@example.org';

async function start(t: TestContext, overrides: ServerOverrides = {}) {
  const server = await startServer(t, overrides);
  const program = { ...server, secret };
  const put = (key: string, size: number, headers = {}) => putInto(program, key, Buffer.alloc(size), headers);
  const begin = (key: string, size: number, beginning: Buffer | string = '') =>
    beginPut(t, program, key, size, beginning);
  // Each has a folder of its own.
  const uploads = async () => (await readdir(server.storeDir)).filter((name) => name !== '.prosody-filer');
  const temporary = () => filesIn(path.join(server.storeDir, '.prosody-filer', 'temporary')).catch(() => []);
  return { ...server, program, put, begin, uploads, temporary };
}

/** The Authorization of a PUT by romeo. */
function ofRomeo(slot: string, filesize: number) {
  const claims = { slot, filename: 'f', filesize, sub: romeo, exp: Date.now() / 1000 + 60 };
  return { authorization: bearer(claims, { key: secret }) };
}

/** PUT by romeo. */
function putAsRomeo({ origin }: TestServer, slot: string, size: number, headers = {}) {
  const options = { method: 'PUT', body: Buffer.alloc(size), headers: { ...ofRomeo(slot, size), ...headers } };
  return send(`${origin}/upload/${slot}/f`, options);
}

describe('a slot', () => {
  it('has one upload at a time: a second one is 409 at once, and the slot is free when the first breaks off', async (t) => {
    const metrics = new Metrics();
    const { put, begin, temporary, logLines } = await start(t, { metrics, maxUploads: 2 });
    const first = await begin('s/f', 100 * kB, Buffer.alloc(10));
    await eventually(async () => (await temporary()).length === 1);
    for (const { status } of await Promise.all(Array.from({ length: 20 }, () => put('s/f', 100 * kB)))) {
      assert.equal(status, 409);
    }
    assert.equal((await temporary()).length, 1);
    assert.equal(logLines.find(({ status }) => status === 409)?.['reason'], 'an upload of this slot is running');
    assert.match(await metrics.registry.metrics(), /refusals_total\{method="PUT",reason="UPLOAD_RUNNING"\} 20/);
    assert.equal((await put('other/f', 100 * kB)).status, 201);
    first.socket.destroy();
    await eventually(async () => (await put('s/f', 100 * kB)).status === 201);
    assert.equal((await put('s/f', 100 * kB)).status, 409);
  });
});

describe('eviction for a PUT', () => {
  const day = 24 * 3_600_000;
  const limits = { maxStoreSize: 1000 * kB, evictsWhenFull: true };

  /** A store filled with ten uploads, the first one the oldest. */
  async function startFull(t: TestContext, overrides: ServerOverrides = {}) {
    const full = await start(t, { limits, ...overrides });
    await full.sweep();
    for (let index = 0; index < 10; index += 1) {
      assert.equal((await full.put(`old${index}/f`, 100 * kB)).status, 201);
      const then = (Date.now() - (20 - index) * day) / 1000;
      await utimes(path.join(full.storeDir, `old${index}/f`), then, then);
    }
    await full.sweep();
    return full;
  }

  it('stops without a server error if the client disconnects or stalls before its first byte', async (t) => {
    const { begin, uploads, logLines } = await startFull(t, { stallTimeoutMs: 300 });
    const { socket } = await begin('leaves/f', 200 * kB);
    await begin('stalls/f', 200 * kB);
    setTimeout(() => socket.destroy(), 50);
    const requests = () => logLines.filter(({ path: of }) => /(leaves|stalls)\/f$/.test(String(of)));
    await eventually(() => requests().length === 2);
    assert.deepEqual(
      requests().map(({ status, reason }) => [status, reason]),
      [
        [400, 'the client disconnected before it sent the first byte of the body'],
        [400, 'the client sent no data for 0.3 s (stallTimeout)'],
      ],
    );
    assert.deepEqual(
      logLines.filter((line) => 'err' in line),
      [],
    );
    assert.equal((await uploads()).length, 10);
  });

  it('deletes nothing for a PUT without bytes, or one whose slot is taken', async (t) => {
    const { put, begin, uploads, temporary } = await startFull(t);
    for (let index = 0; index < 4; index += 1) {
      const idle = [await begin(`idle${index}/f`, 200 * kB), await begin(`idle${index}/f`, 200 * kB)];
      // One of the two is refused because the other one is running.
      await Promise.race(idle.map((connection) => connection.waitFor(/409 Conflict/)));
    }
    assert.deepEqual(await temporary(), []);
    assert.equal((await put('old9/f', 100 * kB)).status, 409);
    assert.equal((await put('old9/f', 60 * kB)).status, 409);
    assert.equal((await put('new/f', 300 * kB)).status, 507);
    assert.equal((await uploads()).length, 10);
  });

  it('deletes the oldest as bytes arrive, and stores all of them', async (t) => {
    const { origin, begin, uploads } = await startFull(t);
    const content = Buffer.from(Array.from({ length: 250 * kB }, (_, index) => index % 251));
    const connection = await begin('new/f', content.length, content.subarray(0, 50 * kB));
    await eventually(async () => (await uploads()).length === 9);
    connection.socket.write(content.subarray(50 * kB, 150 * kB));
    await eventually(async () => (await uploads()).length === 8);
    connection.socket.write(content.subarray(150 * kB));
    await connection.waitFor(/201 Created/);
    assert.deepEqual((await uploads()).sort(), ['new', ...[3, 4, 5, 6, 7, 8, 9].map((index) => `old${index}`)]);
    assert.ok((await send(`${origin}/upload/new/f`)).body.equals(content));
  });

  it('deletes one for an empty file, too', async (t) => {
    const { put, uploads } = await startFull(t);
    assert.equal((await put('new/f', 0)).status, 201);
    assert.equal((await uploads()).includes('old0'), false);
  });

  it('tells the client if there is less room than promised', async (t) => {
    const { store, put, begin, uploads, temporary } = await startFull(t);
    t.mock.method(store, 'delete', () => Promise.reject(new FilerError('STORE_FAILED', 'EACCES')));
    assert.equal((await put('new/f', 500 * kB)).status, 507);
    const idle = await begin('new/f', 500 * kB, Buffer.alloc(100));
    assert.match(await idle.untilClosed(), /507 Insufficient Storage[\s\S]*connection: close/);
    assert.equal((await uploads()).length, 10);
    await eventually(async () => (await temporary()).length === 0);
  });

  it('leaves nothing of a PUT that breaks off', async (t) => {
    const { begin, uploads, temporary, put } = await startFull(t);
    const connection = await begin('new/f', 250 * kB, Buffer.alloc(50 * kB));
    await eventually(async () => (await uploads()).length === 9);
    connection.socket.destroy();
    await eventually(async () => (await temporary()).length === 0);
    assert.equal((await put('new/f', 50 * kB)).status, 201);
    assert.equal((await uploads()).length, 10);
  });
});

describe('a quota', () => {
  it('is not used up by any number of PUTs without bytes', async (t) => {
    const server = await start(t, { limits: { userQuota: 20 * kB } });
    await server.sweep();
    for (const [index, status] of [201, 201, 201, 201, 413].entries()) {
      assert.equal((await putAsRomeo(server, `s${index}`, 0)).status, status);
    }
  });

  it('of a day counts the bytes of a broken upload, sent with its head or later', async (t) => {
    const server = await start(t, { limits: { dailyQuota: 500 * kB } });
    await server.sweep();
    for (const [slot, beginning, more] of [
      ['a', 60 * kB, 0],
      ['b', 10, 240 * kB],
    ] as const) {
      const { authorization } = ofRomeo(slot, 300 * kB);
      const head = putHead(server.program, `${slot}/f`, 300 * kB, `Authorization: ${authorization}\r\n`);
      const connection = await connectTo(t, server.origin);
      connection.socket.write(Buffer.concat([Buffer.from(head.replace(/\?v=\S+/, '')), Buffer.alloc(beginning)]));
      await eventually(async () => (await server.temporary()).length === 1);
      connection.socket.end(Buffer.alloc(more));
      await eventually(async () => (await server.temporary()).length === 0);
    }
    const { status } = await putAsRomeo(server, 'c', 210 * kB);
    const reason = String(server.logLines.at(-1)?.['reason']);
    assert.deepEqual([status, /^\S+ sent 300010 bytes in 24 hours/.test(reason)], [413, true], reason);
    assert.equal((await putAsRomeo(server, 'd', 190 * kB)).status, 201);
  });

  it('has room again at once after a deletion by Metronome', async (t) => {
    const server = await start(t, { limits: { userQuota: 100 * kB }, deleteSecret: 'd' });
    await server.sweep();
    assert.equal((await putAsRomeo(server, 'a', 100 * kB)).status, 201);
    assert.equal((await putAsRomeo(server, 'b', 100 * kB)).status, 413);
    const url = `${server.origin}/upload/a/f?token=${deleteToken('a/f', 'd')}`;
    assert.equal((await send(url, { method: 'DELETE' })).status, 204);
    assert.equal((await putAsRomeo(server, 'b', 100 * kB)).status, 201);
  });
});

describe('an upload that takes too long', () => {
  const settings = { maxUploadMs: () => 300 };

  it('is 408, closes its connection, leaves nothing, and frees its slot', async (t) => {
    const metrics = new Metrics();
    const { put, begin, temporary, logLines } = await start(t, { metrics, ...settings });
    const connection = await begin('s/f', 1000, 'x');
    const drip = setInterval(() => connection.socket.write('x'), 20);
    t.after(() => clearInterval(drip));
    assert.match(await connection.untilClosed(), /^HTTP\/1\.1 408 [\s\S]*connection: close/i);
    assert.deepEqual(await temporary(), []);
    await eventually(async () => logLines.at(-1)?.['status'] === 408);
    assert.equal(logLines.at(-1)?.['reason'], 'the upload did not finish within 0 s, the limit for its size');
    assert.match(await metrics.registry.metrics(), /refusals_total\{method="PUT",reason="UPLOAD_TOO_SLOW"\} 1/);
    assert.equal((await put('s/f', 1000)).status, 201);
  });

  it('is 408 while others are evicted for it', async (t) => {
    const limits = { maxStoreSize: 100 * kB, evictsWhenFull: true };
    const { sweep, put, begin } = await start(t, { limits, ...settings });
    await sweep();
    assert.equal((await put('old/f', 90 * kB)).status, 201);
    await sweep();
    const connection = await begin('s/f', 50 * kB, 'x');
    assert.match(await connection.untilClosed(), /^HTTP\/1\.1 408 /);
  });
});

describe('the figures of [[quota]]', () => {
  const gateway = 'slidge.example.org';
  const limits = {
    userQuota: 20 * kB,
    quotas: [
      quotaTable('example.org', { maxFileSize: 50 * kB, userQuota: unlimited }),
      quotaTable(romeo, { userQuota: 30 * kB }),
    ],
  };

  async function startWithQuotas(t: TestContext) {
    const server = await start(t, { maxFileSize: 40 * kB, limits });
    await server.sweep();
    return { ...server, reason: () => String(server.logLines.at(-1)?.['reason']) };
  }

  /** PUT with the slot token of an uploader. */
  async function putSlot({ origin }: TestServer, slot: string, size: number, jid: string, table?: string) {
    const uploader = uploaderIds.idOf(jid);
    const key = `${uploader}/${slot}/f` as UploadKey;
    const quota = table && uploaderIds.idOf(table);
    const { query } = await signPut('slot', secret, { key, size, contentType: 'text/plain' }, { uploader, quota });
    return send(`${origin}/upload/${key}?${query}`, { method: 'PUT', body: Buffer.alloc(size) });
  }

  it('count for Bearer tokens: those of the JID, and not those of its domain', async (t) => {
    const server = await startWithQuotas(t);
    assert.equal((await putAsRomeo(server, 'a', 30 * kB)).status, 201);
    assert.equal((await putAsRomeo(server, 'b', 10)).status, 413);
    assert.match(server.reason(), /would exceed userQuota of \[\[quota\]\] romeo@example\.org, 30000$/);
    assert.equal((await putAsRomeo(server, 'c', 40_001)).status, 413);
    assert.match(server.reason(), /^40001 bytes exceed maxFileSize, 40000$/);
  });

  it('count for slot tokens, also those of the domain, which the token names', async (t) => {
    const server = await startWithQuotas(t);
    const juliet = 'juliet@example.org';
    assert.equal((await putSlot(server, 'a', 50 * kB, juliet, 'example.org')).status, 201);
    assert.equal((await putSlot(server, 'b', 50_001, juliet, 'example.org')).status, 413);
    assert.match(server.reason(), /^50001 bytes exceed maxFileSize of \[\[quota\]\] example\.org, 50000$/);
    assert.equal((await putSlot(server, 'c', 21 * kB, juliet, 'example.org')).status, 201);
    assert.equal((await putSlot(server, 'd', 31 * kB, romeo, 'example.org')).status, 413);
    assert.match(server.reason(), /userQuota of \[\[quota\]\] romeo@example\.org/);
  });

  it('are those at the top for all others', async (t) => {
    const server = await startWithQuotas(t);
    assert.equal((await putSlot(server, 'a', 20 * kB, gateway)).status, 201);
    assert.equal((await putSlot(server, 'b', 1, gateway)).status, 413);
    assert.match(server.reason(), /would exceed userQuota, 20000$/);
    assert.equal((await server.put('s/f', 40_001)).status, 413);
  });
});

describe("the quotas of ejabberd's users whose names are in the paths", () => {
  const limits = { quotas: [quotaTable('romeo@example.org', { userQuota: 20 * kB })] };

  it('count all of their uploads, and no upload needs a sidecar for that', async (t) => {
    const { sweep, put, storeDir, logLines } = await start(t, { limits, jidInUrlDomain: 'example.org' });
    await sweep();
    assert.equal((await put('romeo/x1/f.txt', 15 * kB)).status, 201);
    assert.deepEqual(await filesIn(storeDir), ['romeo/x1/f.txt']);
    await sweep();
    assert.equal((await put('romeo/x2/f.txt', 15 * kB)).status, 413);
    assert.match(String(logLines.at(-1)?.['reason']), /^15000 bytes are stored for romeo@example\.org/);
    assert.equal((await put('juliet/x2/f.txt', 15 * kB)).status, 201);
  });

  it('are not those of another user whose hash somebody took for a name', async (t) => {
    const { put, logLines } = await start(t, { jidInUrlDomain: 'example.org' });
    for (const id of Object.values(ids)) assert.equal((await put(`${id}/x/f`, 10)).status, 403);
    assert.match(
      String(logLines.at(-1)?.['reason']),
      /^v1 token: the path begins with a hash, but jidInUrlDomain says/,
    );
  });
});

describe('the places for uploads', () => {
  const maxUploads = 20;

  /** Begins uploads that stay; resolves when all of them have a place. */
  async function occupy(t: TestContext, server: Awaited<ReturnType<typeof start>>, heads: readonly string[]) {
    const before = (await server.temporary()).length;
    for (const head of heads) (await connectTo(t, server.origin)).socket.write(head);
    await eventually(async () => (await server.temporary()).length === before + heads.length);
  }
  const headOf = (server: Awaited<ReturnType<typeof start>>, key: string, extra = '') =>
    putHead(server.program, key, 100 * kB, extra);

  it('are limited to a tenth for each uploader, once half of them are taken', async (t) => {
    const server = await start(t, { maxUploads });
    await occupy(
      t,
      server,
      Array.from({ length: 8 }, (_, index) => headOf(server, `other${index}/f`)),
    );
    const own = ['a', 'b'].map((slot) => {
      const { authorization } = ofRomeo(slot, 100 * kB);
      return headOf(server, `${slot}/f`, `Authorization: ${authorization}\r\n`).replace(/\?v=\S+/, '');
    });
    await occupy(t, server, own);
    const refused = await putAsRomeo(server, 'c', 10);
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5']);
    assert.match(
      String(server.logLines.at(-1)?.['reason']),
      /^romeo@example\.org already runs 2 uploads; .* each sender may run at most 2 \(a tenth\)$/,
    );
    assert.equal((await server.put('new/f', 10)).status, 201);
  });

  it('are limited to a tenth for each client address', async (t) => {
    const server = await start(t, { maxUploads, trustProxy: ['127.0.0.1'] });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const headFrom = (slot: string, address: string) => headOf(server, `${slot}/f`, `X-Forwarded-For: ${address}\r\n`);
    const ofOne = ['a', 'b', 'c'].map((slot) => headFrom(slot, '2001:db8::1'));
    await occupy(t, server, ofOne);
    const ofOthers = Array.from({ length: 9 }, (_, index) => headFrom(`s${index}`, `192.0.2.${index}`));
    await occupy(t, server, ofOthers);
    assert.equal((await server.put('d/f', 10, from('2001:db8::2:3'))).status, 503);
    assert.match(String(server.logLines.at(-1)?.['reason']), /^2001:db8:0:0::\/64 already runs 3 uploads/);
    for (const address of ['2001:db8:0:1::1', '192.0.2.5', '127.0.0.1', 'unknown']) {
      assert.equal((await server.put(`${address}/f`, 10, from(address))).status, 201, address);
    }
  });

  it('are not limited by address behind a proxy that is not in trustProxy', async (t) => {
    const server = await start(t, { maxUploads });
    await occupy(
      t,
      server,
      Array.from({ length: 19 }, (_, index) => headOf(server, `s${index}/f`)),
    );
    assert.equal((await server.put('a/f', 10, { 'x-forwarded-for': '192.0.2.1' })).status, 201);
  });
});
