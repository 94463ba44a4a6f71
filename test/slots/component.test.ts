import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Element } from 'ltx';
import { Component, type ComponentTimings } from '../../src/slots/component.js';
import { resultOf, xml } from '../../src/slots/stanza.js';
import { eventually } from '../support/eventually.js';
import { componentSecret, type RawXmppServer, startRawXmppServer } from '../support/xmpp-server.js';

const fast: ComponentTimings = { idleMs: 60_000, answerMs: 5000, minPauseMs: 5, maxPauseMs: 40, refusedPauseMs: 20 };

interface Line {
  readonly level: string;
  readonly message: string;
  readonly reason?: string;
}

/** A component that answers each iq with its own children. */
async function startComponent(t: TestContext, timings: Partial<ComponentTimings> = {}, to?: RawXmppServer) {
  const server = to ?? (await startRawXmppServer(t));
  const lines: Line[] = [];
  const logAs = (level: string) => (line: object, message: string) => lines.push({ ...line, level, message });
  const answer = async (stanza: Element) => resultOf(stanza, xml('got', {}, ...stanza.children));
  const component = new Component(
    { host: '127.0.0.1', port: server.port, jid: 'upload.example.org', secret: componentSecret },
    {
      answer,
      logger: { debug: logAs('debug'), info: logAs('info'), error: logAs('error') },
      timings: { ...fast, ...timings },
    },
  );
  t.after(() => component.stop());
  const errors = () => lines.filter(({ level }) => level === 'error').map(({ reason }) => reason);
  return { server, component, lines, errors };
}

function iq(child: string, id = '1'): string {
  return `<iq type='get' id='${id}' from='a@b' to='upload.example.org'>${child}</iq>`;
}

describe('a component', () => {
  it('answers a stanza that arrives in single bytes', async (t) => {
    const { server, lines } = await startComponent(t);
    const link = await server.nextReady();
    for (const byte of Buffer.from(iq('日本 😀 é'))) {
      link.socket.write(Buffer.of(byte));
      await wait(1);
    }
    await link.waitFor(/<iq type="result" id="1" from="upload\.example\.org" to="a@b"><got>日本 😀 é<\/got><\/iq>$/);
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [['info', 'connected to the XMPP server']],
    );
  });

  it('answers a request that is too long with an error, ignores such a result, and continues', async (t) => {
    const { server } = await startComponent(t);
    const link = await server.nextReady();
    const long = 'x'.repeat(300_000);
    link.socket.write(iq(long, 'long') + iq(long, 'result').replace("'get'", "'result'") + iq('after', 'next'));
    const received = await link.waitFor(/<got>after<\/got><\/iq>$/);
    assert.match(
      received,
      /<iq type="error" id="long"[^>]*><error type="modify"><policy-violation xmlns="[^"]*"\/><\/error><\/iq><iq type="result" id="next"/,
    );
  });

  it('connects again after any end of the stream', async (t) => {
    const { server, errors } = await startComponent(t);
    const ends = [
      "<!DOCTYPE a [<!ENTITY b 'c'>]>",
      '</iq>',
      '</stream:stream>',
      '<iq>'.padEnd(5_000_000, 'x'),
      '<stream:error><x/></stream:error>',
    ];
    for (const end of ends) {
      const { socket } = await server.nextReady();
      socket.write(end);
      await eventually(() => socket.destroyed);
    }
    (await server.nextReady()).socket.destroy();
    await server.nextReady();
    assert.equal(errors().length, ends.length + 1, errors().join('\n'));
  });

  it('retries while it is refused, and logs each reason once', async (t) => {
    const { server, component, lines, errors } = await startComponent(t);
    const startedAt = performance.now();
    const connectedAt = component.connection.since;
    for (const condition of ['not-authorized', 'not-authorized', 'not-authorized', 'conflict', 'host-unknown', 'x']) {
      const { socket } = await server.nextLink();
      socket.write("<stream:stream xmlns='jabber:component:accept' id='1'>");
      socket.end(
        `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text>é</text></stream:error></stream:stream>`,
      );
    }
    await eventually(() => component.connection.reason === 'the connection to the XMPP server failed: x (é)');
    assert.deepEqual([component.connection.isConnected, component.connection.since], [false, connectedAt]);
    await server.nextReady();
    await eventually(() => lines.at(-1)?.level === 'info');
    assert.deepEqual([component.connection.isConnected, component.connection.reason], [true, undefined]);
    assert.ok(component.connection.since >= connectedAt + 30);
    assert.deepEqual(errors(), [
      'component.secret: the XMPP server refused it. Set it to the secret that the XMPP server has for this component.',
      'component.jid: the XMPP server accepts only one program as upload.example.org, and another one is connected already',
      'component.jid: the XMPP server does not know the component upload.example.org. Add it there, or correct component.jid.',
      'the connection to the XMPP server failed: x (é)',
    ]);
    assert.equal(lines.filter(({ level }) => level === 'debug').length, 2);
    assert.ok(performance.now() - startedAt >= 6 * 10, 'it waits at least half of refusedPauseMs each time');
  });

  it('pings a silent server, and gives up a half-open connection', async (t) => {
    const { server, errors } = await startComponent(t, { idleMs: 50, answerMs: 500 });
    const link = await server.nextReady();
    const ping =
      /<iq type="get" id="([^"]*)" from="upload\.example\.org" to="upload\.example\.org"><ping xmlns="urn:xmpp:ping"\/><\/iq>/g;
    for (let count = 1; count <= 3; count += 1) {
      await eventually(() => [...link.received().matchAll(ping)].length === count);
      link.socket.write(' ');
    }
    assert.equal(link.socket.destroyed, false);
    await eventually(() => link.socket.destroyed);
    assert.deepEqual(errors(), ['the connection to the XMPP server failed: the server did not answer within 0.5 s']);
    await server.nextReady();
  });

  it('gives up a server that never answers the handshake, or stops reading', async (t) => {
    const { server, errors } = await startComponent(t, { answerMs: 500 });
    const { socket: mute } = await server.nextLink();
    await eventually(() => mute.destroyed);
    const link = await server.nextReady();
    link.socket.pause();
    const echo = iq('x'.repeat(60_000));
    for (let count = 0; count < 300; count += 1) link.socket.write(echo);
    await eventually(() => errors().length === 2);
    assert.deepEqual(errors(), [
      'the connection to the XMPP server failed: the server did not answer within 0.5 s',
      'the connection to the XMPP server failed: the server stopped reading',
    ]);
  });

  it('drops an answer for a closed connection', async (t) => {
    const server = await startRawXmppServer(t);
    let isAsked = false;
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const component = new Component(
      { host: '127.0.0.1', port: server.port, jid: 'upload.example.org', secret: componentSecret },
      {
        answer: async (stanza) => {
          isAsked = true;
          await held;
          return resultOf(stanza);
        },
        logger: { debug() {}, info() {}, error() {} },
        timings: fast,
      },
    );
    t.after(() => component.stop());
    const first = await server.nextReady();
    first.socket.write(iq('x'));
    await eventually(() => isAsked);
    first.socket.destroy();
    const second = await server.nextReady();
    release?.();
    // Long enough for an answer that must not come.
    await wait(20);
    assert.ok(!second.received().includes('<iq'));
  });

  it('closes its stream when it is stopped, and does not reconnect', async (t) => {
    const { server, component, lines } = await startComponent(t);
    const { socket, waitFor } = await server.nextReady();
    await eventually(() => lines.length === 1);
    const stopped = component.stop();
    await waitFor(/<\/stream:stream>$/);
    socket.end('</stream:stream>');
    await stopped;
    assert.equal(lines.length, 1);
  });

  it('stops at once while it connects or waits, and within 2 s if the server does not answer', async (t) => {
    const opening = await startComponent(t, { answerMs: 20_000 });
    await opening.server.nextLink();
    const waiting = await startComponent(t, { minPauseMs: 20_000, maxPauseMs: 40_000 });
    (await waiting.server.nextLink()).socket.destroy();
    await eventually(() => waiting.errors().length === 1);
    const startedAt = performance.now();
    await Promise.all([opening.component.stop(), waiting.component.stop()]);
    assert.ok(performance.now() - startedAt < 1500);

    const mute = await startComponent(t);
    const { socket } = await mute.server.nextReady();
    await eventually(() => mute.lines.length === 1);
    socket.pause();
    await mute.component.stop();
    assert.ok(performance.now() - startedAt < 8000);
  });
});
