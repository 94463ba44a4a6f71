import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Element, xml } from '@xmpp/client';
import { Component } from '../../src/slots/component.js';
import { eventually } from '../support/eventually.js';
import { send, splitUrl } from '../support/http-client.js';
import { freePort, missingPeer } from '../support/peers.js';
import { connectTo } from '../support/raw-socket.js';
import { shared } from '../support/shared.js';
import type { Teardown } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { aliceId, connected, type FilerSettings, jid, put, secret, serversOf, startFiler } from './component-filer.js';
import { debians } from './debian.js';
import { sendByProfanity } from './profanity.js';
import { startProsody } from './prosody.js';
import { connectXmppClient, type Slot, type XmppClient } from './xmpp-client.js';

const olderNs = 'urn:xmpp:http:upload';
const body = Buffer.from('You have a new message.\n');
const noProsody = missingPeer('prosody', 'prosodyctl') ?? false;

async function startServer(t: Teardown) {
  const componentPort = await freePort();
  const options = { issuer: 'component', componentPort, secret } as const;
  return { server: await startProsody(t, options), options, componentPort };
}

async function startWithProsody(t: TestContext, settings: FilerSettings = {}, started = startServer(t)) {
  const peer = await started;
  const filer = await startFiler(t, { componentPort: peer.componentPort, ...settings });
  await connected(filer);
  return { ...peer, filer, client: await connectXmppClient(t, peer.server) };
}

async function roundTrip(client: XmppClient, filename = 'f.txt'): Promise<Slot> {
  const slot = await client.requestSlot({ filename, size: body.length, contentType: 'text/plain' });
  assert.equal((await put(slot, body)).status, 201);
  const { status, body: got, headers } = await send(slot.get);
  assert.deepEqual(
    [status, got.toString(), headers['content-type']],
    [200, body.toString(), 'text/plain; charset=utf-8'],
  );
  return slot;
}

interface Refusal extends Error {
  readonly condition: string;
  readonly type: string;
  readonly application?: Element;
}

async function refusalOf(request: Promise<unknown>): Promise<Refusal> {
  return request.then(
    () => assert.fail('it was not refused'),
    (error) => error,
  );
}

const servers = debians.flatMap((debian) => Object.entries(serversOf(debian)));
for (const [name, { whyNot, start }] of servers) {
  it(`slots of our own on ${name}`, async (t) => {
    const reason = whyNot();
    if (reason !== undefined) return t.skip(reason);
    const componentPort = await freePort();
    const server = await start(t, componentPort);
    const filer = await startFiler(t, {
      componentPort,
      component: { maxFileSize: '1MB', name: 'Files & more' },
      expiresAfter: '1h',
      retention: [{ purpose: 'profile', expiresAfter: 'never' }],
    });
    await connected(filer);
    const client = await connectXmppClient(t, server);

    for (const filename of [
      'f.txt',
      'with spaces 100% +1.txt',
      '日本 résumé.txt',
      `it's "q" <&>(1)!*;?#[].txt`,
      '...',
    ]) {
      await t.test(`'${filename}' is uploaded and downloaded unchanged`, async () => {
        const { put: taken, get } = await roundTrip(client, filename);
        assert.match(taken.url, /^http:[\w.~:/%-]+\?slot=[\w.-]+$/);
        const path = get.slice(filer.uploadUrl.length).split('/').map(decodeURIComponent);
        assert.deepEqual([path[0], path[1]?.length, path[2]], [aliceId(filer), 40, filename]);
        assert.ok((await filesIn(filer.storeDir)).includes(path.join('/')));
        assert.equal((await put({ put: taken, get }, body)).status, 409);
        const line = await filer.waitForLog(
          (given) => given['msg'] === 'slot given' && given['path'] === path.join('/'),
        );
        assert.deepEqual([line['uploader'], line['bytes']], ['alice@localhost', body.length]);
      });
    }

    await t.test('Profanity uploads a file and downloads it', async (t) => {
      const missing = missingPeer('profanity', 'tmux');
      if (missing !== undefined) return t.skip(missing);
      assert.equal((await sendByProfanity(t, server, 'note.txt', body)).toString(), body.toString());
    });

    await t.test('clients of the older namespace get a slot', async () => {
      const request = xml(
        'request',
        { xmlns: olderNs },
        xml('filename', {}, 'older & <better>.txt'),
        xml('size', {}, String(body.length)),
        xml('content-type', {}, 'text/plain'),
      );
      const slot = await client.ask(request, 'slot');
      const url = (child: string) => slot.getChild(child)?.text() ?? '';
      assert.equal((await put({ put: { url: url('put'), headers: {} }, get: '' }, body)).status, 201);
      const { body: got, headers } = await send(url('get'));
      assert.deepEqual([got.toString(), headers['content-type']], [body.toString(), 'text/plain; charset=utf-8']);
    });

    await t.test('a client may ask for an expiry', async () => {
      const ephemeral = xml('ephemeral', {
        xmlns: 'urn:xmpp:http:upload:purpose:0',
        'expire-before': new Date(Date.now() + 3_600_000).toISOString(),
      });
      const attributes = { xmlns: 'urn:xmpp:http:upload:0', filename: 'f.txt', size: body.length };
      const slot = await client.ask(xml('request', attributes, ephemeral), 'slot');
      const url = (child: string) => slot.getChild(child)?.attrs['url'] ?? '';
      assert.equal((await put({ put: { url: url('put'), headers: {} }, get: '' }, body)).status, 201);
      const { status, headers } = await send(url('get'));
      const maxAge = Number(/max-age=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]);
      assert.deepEqual([status, maxAge > 3400 && maxAge <= 3600], [200, true], headers['cache-control']);
    });

    await t.test('a client may say what a file is for, if the service advertises that purpose', async () => {
      const purposeNs = 'urn:xmpp:http:upload:purpose:0';
      const maxAgeOf = async (purpose: string) => {
        const attributes = { xmlns: 'urn:xmpp:http:upload:0', filename: 'f.txt', size: body.length };
        const slot = await client.ask(xml('request', attributes, xml(purpose, { xmlns: purposeNs })), 'slot');
        const url = (child: string) => slot.getChild(child)?.attrs['url'] ?? '';
        assert.equal((await put({ put: { url: url('put'), headers: {} }, get: '' }, body)).status, 201);
        const { headers } = await send(url('get'), { method: 'HEAD' });
        return Number(/max-age=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]);
      };
      assert.equal(await maxAgeOf('profile'), 365 * 24 * 3600);
      for (const purpose of ['message', 'permanent']) {
        const seconds = await maxAgeOf(purpose);
        assert.ok(seconds > 0 && seconds <= 3600, `${purpose}: ${seconds}`);
      }
      const info = await client.ask(xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }), 'query');
      const features = info.getChildren('feature').map(({ attrs }) => attrs['var']);
      const advertised = ['message', 'profile', 'ephemeral'].map((purpose) => `${purposeNs}#${purpose}`);
      assert.deepEqual(
        features.filter((feature) => feature?.startsWith(purposeNs)),
        advertised,
      );
    });

    await t.test('the service announces its identity and limits', async () => {
      const info = await client.ask(xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }), 'query');
      assert.deepEqual(
        { ...info.getChild('identity')?.attrs },
        { category: 'store', type: 'file', name: 'Files & more' },
      );
      const limits = info
        .getChildren('x')
        .flatMap((form) => form.getChildren('field').map((field) => field.getChild('value')?.text()));
      assert.deepEqual(limits, ['urn:xmpp:http:upload:0', '1000000', olderNs, '1000000']);
      const items = await client.ask(xml('query', { xmlns: 'http://jabber.org/protocol/disco#items' }), 'query');
      assert.equal(items.getChildren('item').length, 0);
    });

    await t.test('a file that is too large, or has an invalid name, is refused', async () => {
      const { condition, type, application } = await refusalOf(client.requestSlot({ filename: 'f', size: 1_000_001 }));
      assert.deepEqual([type, condition], ['modify', 'not-acceptable']);
      assert.equal(application?.getChild('max-file-size')?.text(), '1000000');
      const nameless = await refusalOf(client.requestSlot({ filename: '..', size: 1 }));
      assert.deepEqual([nameless.type, nameless.condition], ['modify', 'bad-request']);
      const { reason: said } = await filer.waitForLog(
        ({ msg, reason }) => msg === 'slot refused' && /1000001/.test(String(reason)),
      );
      assert.equal(said, '1000001 bytes exceed maxFileSize, 1000000');
    });

    await t.test('no token and no secret is logged', async () => {
      await filer.stop();
      assert.ok(!/eyJ|component-pass/.test(filer.output()));
      assert.ok(!filer.output().includes(filer.secret));
    });

    await t.test('the server routes our pings back to us', async () => {
      const lines: string[] = [];
      const log = (_line: object, message: string) => lines.push(message);
      let pings = 0;
      const component = new Component(
        { host: '127.0.0.1', port: componentPort, jid, secret },
        {
          answer: async (iq) => {
            pings += iq.attrs['from'] === jid && iq.getChild('ping') !== undefined ? 1 : 0;
            return undefined;
          },
          logger: { debug: log, info: log, error: log },
          timings: { idleMs: 50, answerMs: 2000, minPauseMs: 500, maxPauseMs: 500, refusedPauseMs: 500 },
        },
      );
      t.after(() => component.stop());
      await eventually(() => pings >= 5);
      assert.deepEqual(lines, ['connected to the XMPP server']);
    });
  });
}

describe('slots of our own', { skip: noProsody }, () => {
  const prosody = shared(startServer);

  it('are refused to users not in access', async (t) => {
    const { client, filer } = await startWithProsody(
      t,
      { component: { access: ['bob@localhost', 'example.org'] } },
      prosody(),
    );
    const { type, condition } = await refusalOf(client.requestSlot({ filename: 'f', size: 1 }));
    assert.deepEqual([type, condition], ['auth', 'forbidden']);
    await filer.waitForLog((line) => line['msg'] === 'slot refused' && line['uploader'] === 'alice@localhost');
    await filer.waitForLog(({ msg }) => msg === 'accepting slot requests from bob@localhost, example.org');
  });

  it('are for users of the parent domain by default, and the log says so', async (t) => {
    const { filer } = await startWithProsody(t, {}, prosody());
    const said = 'accepting slot requests from localhost (the default: component.access is not set)';
    await filer.waitForLog(({ msg }) => msg === said);
  });

  it('are given by the supervisor of several workers', async (t) => {
    const { client } = await startWithProsody(t, { workers: 2, userQuota: '8191B' }, prosody());
    await roundTrip(client);
    const { type, condition } = await refusalOf(client.requestSlot({ filename: 'f', size: 17 }));
    assert.deepEqual([type, condition], ['wait', 'resource-constraint']);
  });

  it('count for the day, also after a restart with another secret, and refusals say when to retry', async (t) => {
    const settings = { component: { dailyQuota: '8192B' } };
    const { client, filer, componentPort } = await startWithProsody(t, settings, prosody());
    await roundTrip(client);
    await client.requestSlot({ filename: 'never uploaded', size: 26 });
    const { condition, application } = await refusalOf(client.requestSlot({ filename: 'f', size: 1 }));
    assert.equal(condition, 'resource-constraint');
    assert.ok(Date.parse(application?.attrs['stamp'] ?? '') > Date.now() + 22 * 3_600_000);
    await filer.stop();

    const { storeDir, secret: old } = filer;
    const again = await startFiler(t, { componentPort, storeDir, secrets: [old], ...settings });
    await connected(again);
    await refusalOf(client.requestSlot({ filename: 'f', size: 4097 }));
    await client.requestSlot({ filename: 'f', size: 26 });
  });

  it('are limited per minute', async (t) => {
    const { client } = await startWithProsody(t, {}, prosody());
    const requests = Array.from({ length: 70 }, () => client.requestSlot({ filename: 'f', size: 1 }));
    const results = await Promise.allSettled(requests);
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Refusal] : []));
    assert.equal(refused.length, 10);
    for (const { type, condition, application } of refused) {
      assert.deepEqual([type, condition], ['wait', 'resource-constraint']);
      const waitMs = Date.parse(application?.attrs['stamp'] ?? '') - Date.now();
      assert.ok(waitMs > 0 && waitMs <= 61_000, `${waitMs}`);
    }
  });
});

const isDisconnected = ({ msg }: { readonly msg?: unknown }) =>
  msg === 'not connected to the XMPP server, trying again';

describe('the component', { skip: noProsody }, () => {
  it('is refused with a wrong secret, logs that once, and keeps serving', async (t) => {
    const componentPort = await freePort();
    await startProsody(t, { issuer: 'component', componentPort, secret: 'another' });
    const filer = await startFiler(t, { componentPort });
    const { level, reason } = await filer.waitForLog(isDisconnected);
    assert.deepEqual(
      [level, reason],
      [
        'error',
        'component.secret: the XMPP server refused it. Set it to the secret that the XMPP server has for this component.',
      ],
    );
    await filer.waitForLog((line) => isDisconnected(line) && line['level'] === 'debug');
    assert.equal((await send(`${filer.uploadUrl}none`)).status, 404);
    assert.deepEqual(await filer.stop(), { code: 0, signal: null });
  });

  it('waits for a server that is not yet running', async (t) => {
    const componentPort = await freePort();
    const filer = await startFiler(t, { componentPort });
    const { reason } = await filer.waitForLog(isDisconnected);
    assert.match(String(reason), /^component\.port: nothing listens on 127\.0\.0\.1 port \d+\. Set it to the port/);
    const server = await startProsody(t, { issuer: 'component', componentPort, secret });
    await connected(filer);
    await roundTrip(await connectXmppClient(t, server));
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`connects again after the server has ended by ${signal}, without disturbing an upload`, async (t) => {
      const { server, options, filer, client } = await startWithProsody(t);
      const { put: taken, get } = await client.requestSlot({ filename: 'slow.txt', size: 10 });
      const { origin, rawTarget } = splitUrl(taken.url);
      const { socket, waitFor } = await connectTo(t, origin);
      socket.write(`PUT ${rawTarget} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
      await server.stop(signal);
      await filer.waitForLog(isDisconnected);
      await server.restart(options);
      await connected(filer, 2);
      socket.write('56789');
      await waitFor(/^HTTP\/1\.1 201/);
      assert.equal((await send(get)).body.toString(), '0123456789');
      await roundTrip(await connectXmppClient(t, server));
    });
  }

  it('closes its stream when it stops, and gives slots again after its start', async (t) => {
    const { filer, client, componentPort } = await startWithProsody(t);
    const slot = await client.requestSlot({ filename: 'f.txt', size: body.length });
    assert.deepEqual(await filer.stop(), { code: 0, signal: null });
    const { condition } = await refusalOf(client.requestSlot({ filename: 'f', size: 1 }));
    assert.equal(condition, 'remote-server-timeout');
    const listenPort = new URL(filer.origin).host;
    const again = await startFiler(t, { componentPort, listenPort, secret: filer.secret });
    await connected(again);
    assert.equal((await put(slot, body)).status, 201, 'a slot from before the restart');
    await roundTrip(client);
  });

  it('replaces another one of the same name when that one ends', async (t) => {
    const { filer, client, componentPort } = await startWithProsody(t);
    const second = await startFiler(t, { componentPort });
    const { reason } = await second.waitForLog(isDisconnected);
    assert.equal(
      reason,
      'component.jid: the XMPP server accepts only one program as upload.localhost, and another one is connected already',
    );
    await roundTrip(client);
    await filer.stop();
    await connected(second);
    const slot = await roundTrip(client);
    assert.ok(slot.get.startsWith(second.origin));
  });
});
