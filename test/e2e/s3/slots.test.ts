import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { type Element, xml } from '@xmpp/client';
import { type Ceph, cephPrograms, sharedCeph } from '../../support/ceph.js';
import { send } from '../../support/http-client.js';
import { findProgram, freePort, missingPeer } from '../../support/peers.js';
import type { Settings } from '../../support/program.js';
import { shared } from '../../support/shared.js';
import { aliceId, connected, put, secret, serversOf, startFiler } from '../component-filer.js';
import { thisDebian } from '../debian.js';
import { startProsody } from '../prosody.js';
import { connectXmppClient, type Slot } from '../xmpp-client.js';

const commandsNs = 'http://jabber.org/protocol/commands';
const body = randomBytes(100_000);
const names = ['photo.jpg', 'with spaces 100% +1.jpg', `日本 "résumé" it's (1)&?#.jpg`];

type Tables = Readonly<Record<'component' | 's3', Settings>>;

function s3Table({ endpoint, accessKeyId, secretAccessKey }: Ceph, bucket: string) {
  return { endpointUrl: endpoint, accessKeyId, secretAccessKey, bucket, path: 'a/b', forcePathStyle: true };
}

async function letAnybodyRead(ceph: Ceph, bucket: string): Promise<void> {
  const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await ceph.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
}

/** A PUT as clients send it: with the type that they announced. */
function putTyped({ put: { url } }: Pick<Slot, 'put'>, content: Buffer, type?: string): Promise<{ status: number }> {
  return send(url, { method: 'PUT', body: content, headers: type === undefined ? {} : { 'content-type': type } });
}

describe('slots on a bucket', { skip: missingPeer(...cephPrograms, 'prosody', 'prosodyctl', 'faketime') }, () => {
  const peer = sharedCeph();
  const prosody = shared(async (t) => {
    const componentPort = await freePort();
    return { server: await startProsody(t, { issuer: 'component', componentPort, secret }), componentPort };
  });

  async function start(t: TestContext, tables: Partial<Tables> = {}, more: Settings = {}, command: string[] = []) {
    const ceph = await peer();
    const bucket = await ceph.createBucket();
    const { server, componentPort } = await prosody();
    const s3 = { ...s3Table(ceph, bucket), ...tables.s3 };
    const component = { upload: 'direct', ...tables.component };
    const filer = await startFiler(t, { componentPort, ...more, s3, component }, command);
    await connected(filer);
    return { ceph, bucket, server, componentPort, filer, client: await connectXmppClient(t, server) };
  }

  for (const [name, { whyNot, start: startServer }] of Object.entries(serversOf(thisDebian))) {
    it(`of ${name} lead uploads to the bucket, and downloads to its domain`, async (t) => {
      const reason = whyNot();
      if (reason !== undefined) return t.skip(reason);
      const ceph = await peer();
      const bucket = await ceph.createBucket();
      await letAnybodyRead(ceph, bucket);
      const componentPort = await freePort();
      const server = await startServer(t, componentPort);
      const baseDomain = `${ceph.endpoint}/${bucket}`;
      const filer = await startFiler(t, {
        componentPort,
        s3: { ...s3Table(ceph, bucket), baseDomain },
        component: { upload: 'direct' },
      });
      await connected(filer);
      const client = await connectXmppClient(t, server);
      for (const filename of names) {
        const slot = await client.requestSlot({ filename, size: body.length, contentType: 'image/jpeg' });
        assert.ok(slot.put.url.startsWith(`${ceph.endpoint}/${bucket}/a/b/${aliceId(filer)}/`), slot.put.url);
        assert.equal((await putTyped(slot, body, 'image/jpeg')).status, 200);
        assert.ok(slot.get.startsWith(`${baseDomain}/a/b/${aliceId(filer)}/`), slot.get);
        const got = await send(slot.get);
        assert.deepEqual([got.status, got.headers['content-type']], [200, 'image/jpeg']);
        assert.ok(got.body.equals(body));
        assert.equal(decodeURIComponent(slot.get.slice(slot.get.lastIndexOf('/') + 1)), filename);
      }
      assert.equal((await ceph.keysIn(bucket)).length, names.length);
      assert.doesNotMatch(filer.output(), /X-Amz-Signature|component-pass/);
    });
  }

  it('can be downloaded through prosody-filer, with safe headers and the type of the name if none was announced', async (t) => {
    const { client, filer } = await start(t);
    const slot = await client.requestSlot({ filename: 'page.html', size: body.length });
    assert.equal((await putTyped(slot, body)).status, 200);
    assert.ok(slot.get.startsWith(filer.uploadUrl));
    const got = await send(slot.get, { headers: { range: 'bytes=10-19' } });
    assert.deepEqual([got.status, got.headers['content-range']], [206, `bytes 10-19/${body.length}`]);
    assert.ok(got.body.equals(body.subarray(10, 20)));
    assert.deepEqual(
      [got.headers['content-type'], got.headers['content-disposition']],
      ['text/html', 'attachment; filename=page.html'],
    );
    const line = await filer.waitForLog(({ method }) => method === 'GET');
    assert.equal(line['uploader'], aliceId(filer));
  });

  it('lead to uploads that their users can delete by a command', async (t) => {
    const { client } = await start(t);
    const slot = await client.requestSlot({ filename: 'photo.jpg', size: body.length });
    assert.equal((await putTyped(slot, body)).status, 200);
    const run = (attributes: Record<string, string>, ...form: Element[]) =>
      client.change(xml('command', { xmlns: commandsNs, node: 'delete-all', ...attributes }, ...form), 'command');
    const { sessionid = '' } = (await run({})).attrs;
    const confirmed = xml('field', { var: 'confirm' }, xml('value', {}, '1'));
    const done = await run({ sessionid }, xml('x', { xmlns: 'jabber:x:data', type: 'submit' }, confirmed));
    assert.equal(done.getChild('note')?.text(), 'Deleted 1 upload, 100.00 KB.');
    assert.equal((await send(slot.get)).status, 410);
  });

  it('accept only the type of the name if types are limited and none was announced', async (t) => {
    const { client } = await start(t, { component: { allowedTypes: ['image/*'] } });
    const slot = await client.requestSlot({ filename: 'photo.jpg', size: body.length });
    assert.equal((await putTyped(slot, body, 'text/html')).status, 403);
    assert.equal((await putTyped(slot, body, 'image/jpeg')).status, 200);
  });

  it('are refused by the bucket for another length, type or key, and after tampering', async (t) => {
    const { client, ceph, bucket } = await start(t);
    const slot = await client.requestSlot({ filename: 'photo.jpg', size: body.length, contentType: 'image/jpeg' });
    const changed = (from: RegExp, to: string) => ({ put: { url: slot.put.url.replace(from, to), headers: {} } });
    const refused = {
      shorter: putTyped(slot, body.subarray(1), 'image/jpeg'),
      longer: putTyped(slot, Buffer.concat([body, body]), 'image/jpeg'),
      'of another type': putTyped(slot, body, 'text/html'),
      'of no type': putTyped(slot, body),
      'for another key': putTyped(changed(/photo\.jpg/, 'other.jpg'), body, 'image/jpeg'),
      'valid for longer': putTyped(changed(/X-Amz-Expires=300/, 'X-Amz-Expires=3000'), body, 'image/jpeg'),
      'with another signature': putTyped(changed(/(X-Amz-Signature=)[0-9a-f]{8}/, '$100000000'), body, 'image/jpeg'),
    };
    for (const [what, answer] of Object.entries(refused)) assert.equal((await answer).status, 403, what);
    assert.deepEqual(await ceph.keysIn(bucket), []);
    assert.equal((await putTyped(slot, body, 'image/jpeg')).status, 200);
  });

  it('are refused by the bucket after 300 s', async (t) => {
    const sixMinutesAgo = [findProgram('faketime') ?? 'faketime', '-f', '-360s'];
    const { client, ceph, bucket } = await start(t, {}, {}, sixMinutesAgo);
    const slot = await client.requestSlot({ filename: 'photo.jpg', size: body.length });
    assert.equal((await putTyped(slot, body)).status, 403);
    assert.deepEqual(await ceph.keysIn(bucket), []);
  });

  it('count for their uploader when given; after a restart with another secret, the stored uploads count', async (t) => {
    const quota = { userQuota: `${body.length * 2}B` };
    const { client, server, filer, ceph, bucket, componentPort } = await start(t, {}, quota);
    const request = { filename: 'photo.jpg', size: body.length };
    const slot = await client.requestSlot(request);
    await client.requestSlot(request);
    await assert.rejects(client.requestSlot(request), { condition: 'resource-constraint' });
    assert.equal((await putTyped(slot, body)).status, 200);
    await filer.stop();
    const next = await startFiler(t, {
      componentPort,
      ...quota,
      secrets: [filer.secret],
      s3: s3Table(ceph, bucket),
      component: { upload: 'direct' },
    });
    await connected(next);
    const again = await connectXmppClient(t, server);
    await again.requestSlot(request);
    await assert.rejects(again.requestSlot(request), { condition: 'resource-constraint' });
    assert.equal((await send(slot.get.replace(filer.origin, next.origin))).status, 200);
  });

  it('for uploads through prosody-filer store them in the bucket', async (t) => {
    const { client, ceph, bucket, filer } = await start(t, { component: { upload: 'filer' } });
    for (const filename of names) {
      const slot = await client.requestSlot({ filename, size: body.length, contentType: 'image/jpeg' });
      assert.equal((await put(slot, body)).status, 201);
      const part = await send(slot.get, { headers: { range: 'bytes=-5' } });
      assert.deepEqual([part.status, part.body], [206, body.subarray(-5)]);
      const whole = await send(slot.get);
      assert.deepEqual([whole.status, whole.headers['content-type']], [200, 'image/jpeg']);
      assert.ok(whole.body.equals(body));
      const key = slot.get.slice(filer.uploadUrl.length).split('/').map(decodeURIComponent).join('/');
      const head = await ceph.headOf(bucket, `a/b/${key}`);
      assert.deepEqual([head?.ContentLength, head?.Metadata?.['uploader']], [body.length, aliceId(filer)]);
    }
  });

  it('can be used while prosody-filer is stopped', async (t) => {
    const { client, filer, server, ceph, bucket, componentPort } = await start(t);
    const slot = await client.requestSlot({ filename: 'photo.jpg', size: body.length });
    await filer.stop('SIGKILL');
    assert.equal((await putTyped(slot, body)).status, 200);
    await server.restart({ issuer: 'component', componentPort, secret });
    const listenPort = new URL(filer.origin).host;
    const next = await startFiler(t, {
      componentPort,
      listenPort,
      s3: s3Table(ceph, bucket),
      component: { upload: 'direct' },
    });
    await connected(next);
    assert.ok((await send(slot.get)).body.equals(body));
    const again = await connectXmppClient(t, server);
    const { put: later } = await again.requestSlot({ filename: 'photo.jpg', size: body.length });
    assert.equal((await putTyped({ put: later }, body)).status, 200);
  });
});
