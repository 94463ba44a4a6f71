import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Element } from 'ltx';
import { type ErrorCode, FilerError } from '../../src/errors.js';

import { ProcessMetrics } from '../../src/metrics.js';
import { AdHocCommands } from '../../src/slots/ad-hoc/ad-hoc-commands.js';
import { lastStage } from '../../src/slots/ad-hoc/stage.js';

import { answerStanza } from '../../src/slots/answer-stanza.js';
import { filerIssuer } from '../../src/slots/filer-issuer.js';
import { planSlot, type SlotRequest } from '../../src/slots/slot-policy.js';
import { xml } from '../../src/slots/stanza.js';
import { StanzaReader } from '../../src/slots/stanza-reader.js';
import { unlimited } from '../../src/units.js';
import type { Purpose } from '../../src/upload/purpose.js';

const issuer = filerIssuer('https://uploads.example.org/upload/', 'mysecret');
const settings = { access: [], maxFileSize: 1000, allowedTypes: [], purposes: ['message', 'profile'] as const };

function issue(jid: string, request: SlotRequest) {
  return issuer.issue(planSlot({ uploader: jid }, request, settings), 0);
}

/** The one stanza in a text. */
function parse(text: string): Element {
  const stanzas: Element[] = [];
  const ignore = () => undefined;
  const onStanza = (stanza: Element) => stanzas.push(stanza);
  const reader = new StanzaReader({ onOpen: ignore, onStanza, onSkipped: ignore, onClose: ignore });
  reader.write(`<stream xmlns='jabber:component:accept'>${text}`);
  const [stanza] = stanzas;
  assert.ok(stanza !== undefined && stanzas.length === 1);
  return stanza;
}

async function answerTo(
  text: string,
  give = issue,
  purposes: readonly Purpose[] = ['message', 'profile', 'ephemeral'],
  metrics?: ProcessMetrics,
) {
  const lines: Record<string, unknown>[] = [];
  const log = (level: string) => (line: object) => lines.push({ level, ...line });
  const logger = { debug: log('debug'), warn: log('warn'), error: log('error') };
  const known = [{ node: 'known', name: 'Known', start: async () => lastStage('Done.') }];
  const commandsFor = (jid: string) => (jid === 'romeo@example.org' ? known : []);
  const commandLogger = { info: log('info'), warn: log('warn') };
  const paceOf = (jid: string) => jid;
  const commands = new AdHocCommands({ commands: known, commandsFor, paceOf, logger: commandLogger, now: () => 0 });
  const maxFileSizeFor = (asker: string) => (asker === 'slidge.example.org' ? unlimited : 1000);
  const jid = 'upload.example.org';
  const service = { jid, name: `"Files" & <more>`, maxFileSizeFor, purposes };
  const context = { ...service, give, commands, logger, metrics };
  const answer = await answerStanza(parse(text), context);
  return { answer: answer === undefined ? undefined : parse(String(answer)), lines };
}

const head = "<iq type='get' id='&quot;1&apos;' from='romeo@example.org/😀&amp;' to='upload.example.org'>";
const iq = (child: string) => `${head}${child}</iq>`;
const request = (attributes: string) => iq(`<request xmlns='urn:xmpp:http:upload:0' ${attributes}/>`);

/** The error in an answer, which must go back to the sender of its iq. */
function errorIn(answer: Element | undefined) {
  assert.deepEqual(
    { ...answer?.attrs },
    {
      type: 'error',
      id: `"1'`,
      from: 'upload.example.org',
      to: 'romeo@example.org/😀&',
    },
  );
  const error = answer?.getChild('error');
  const [condition] = error?.getChildElements() ?? [];
  assert.equal(condition?.getNS(), 'urn:ietf:params:xml:ns:xmpp-stanzas');
  return [error?.attrs['type'], condition?.getName()];
}

describe('a request for a slot', () => {
  it('is answered with two URLs for any file name', async () => {
    for (const name of ['f.jpg', '&quot;it&apos;s&quot; &lt;&amp;&gt;.txt', '日本 😀.png']) {
      const { answer } = await answerTo(request(`filename="${name}" size='10' content-type='image/png'`));
      assert.deepEqual([answer?.attrs['type'], answer?.attrs['to']], ['result', 'romeo@example.org/😀&']);
      const slot = answer?.getChild('slot', 'urn:xmpp:http:upload:0');
      assert.match(slot?.getChild('put')?.attrs['url'] ?? '', /^https:\/\/[\w./~%-]+\?slot=[\w.-]+$/);
      assert.match(slot?.getChild('get')?.attrs['url'] ?? '', /^https:\/\/[\w./~%-]+$/);
    }
  });

  it('may name a purpose, which the token then carries; without one, or with an unadvertised one, it is a message', async () => {
    const purposeFor = async (child: string, namespace = 'urn:xmpp:http:upload:0') => {
      const fields = '<filename>f</filename><size>1</size>';
      const { answer } = await answerTo(
        iq(`<request xmlns='${namespace}' filename='f' size='1'>${child}${fields}</request>`),
      );
      const slot = answer?.getChild('slot')?.getChild('put');
      const [, payload = ''] = (slot?.attrs['url'] ?? slot?.getText() ?? '').replace(/^.*slot=/, '').split('.');
      return JSON.parse(Buffer.from(payload, 'base64url').toString()).purpose;
    };
    const purpose = (name: string) => `<${name} xmlns='urn:xmpp:http:upload:purpose:0'/>`;
    assert.equal(await purposeFor(`<x/>text${purpose('profile')}`), 'profile');
    assert.equal(await purposeFor(purpose('profile'), 'urn:xmpp:http:upload'), 'profile');
    for (const other of [
      '',
      purpose('message'),
      purpose('permanent'),
      purpose('toString'),
      "<profile xmlns='x'/>",
      '<profile/>',
    ]) {
      assert.equal(await purposeFor(other), undefined, other);
    }
  });

  it('may contain a purpose and unknown elements', async () => {
    const purpose = "<message xmlns='urn:xmpp:http:upload:purpose:0'/>text";
    const attributes = "xmlns:u='urn:xmpp:http:upload:0' filename='f' size='1' x='y'";
    const { answer } = await answerTo(iq(`<u:request ${attributes}>${purpose}</u:request>`));
    assert.ok(answer?.getChild('slot', 'urn:xmpp:http:upload:0'));
  });

  it('may ask for an expiry, which the token then carries', async () => {
    const purpose = (attributes: string) => `<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' ${attributes}/>`;
    const expiryFor = async (attributes: string) => {
      const child = `<request xmlns='urn:xmpp:http:upload:0' filename='f' size='1'>${purpose(attributes)}</request>`;
      const { answer } = await answerTo(iq(child));
      const url = answer?.getChild('slot')?.getChild('put')?.attrs['url'] ?? '';
      const [, payload = ''] = url.replace(/^.*slot=/, '').split('.');
      return payload === '' ? errorIn(answer) : JSON.parse(Buffer.from(payload, 'base64url').toString()).expires;
    };
    assert.equal(await expiryFor("expire-before='1970-01-02T02:00:00.500+02:00'"), 86_400);
    assert.equal(await expiryFor(''), undefined);
    for (const time of ['', 'tomorrow', '86400', '2026-11-22', '2026-13-22T00:00:00Z', '+12026-11-22T00:00:00Z']) {
      assert.deepEqual(await expiryFor(`expire-before='${time}'`), ['modify', 'bad-request'], time);
    }
  });

  it('in the older namespace is answered and refused in that namespace', async () => {
    const older = (size: string) =>
      iq(`<request xmlns='urn:xmpp:http:upload'><filename>f &amp; g</filename><size>${size}</size></request>`);
    const { answer } = await answerTo(older('10'));
    const slot = answer?.getChild('slot', 'urn:xmpp:http:upload');
    assert.match(slot?.getChildText('put') ?? '', /\/f%20%26%20g\?slot=/);
    assert.match(slot?.getChildText('get') ?? '', /\/f%20%26%20g$/);
    const { answer: refusal } = await answerTo(older('1001'));
    const limit = refusal?.getChild('error')?.getChild('file-too-large', 'urn:xmpp:http:upload');
    assert.equal(limit?.getChildText('max-file-size'), '1000');
  });

  const wrong = {
    'without a name': "size='1'",
    'without a size': "filename='f'",
    'with nothing': '',
    'with a negative size': "filename='f' size='-1'",
    'with a huge size': "filename='f' size='99999999999999999999'",
    'with a path for a name': "filename='../../etc/passwd' size='1'",
    'with children in place of attributes': "filename='' size=''",
  };
  for (const [what, attributes] of Object.entries(wrong)) {
    it(`is a bad request ${what}`, async () => {
      const { answer, lines } = await answerTo(request(attributes));
      assert.deepEqual(errorIn(answer), ['modify', 'bad-request']);
      assert.equal(lines[0]?.['uploader'], 'romeo@example.org');
    });
  }

  const refusals: [ErrorCode, string, string, string][] = [
    ['UPLOADER_REFUSED', 'auth', 'forbidden', 'warn'],
    ['UPLOAD_EXPIRED', 'modify', 'not-acceptable', 'warn'],
    ['TYPE_REFUSED', 'modify', 'not-acceptable', 'warn'],
    ['SIZE_REFUSED', 'modify', 'not-acceptable', 'warn'],
    ['QUOTA_REACHED', 'wait', 'resource-constraint', 'warn'],
    ['STORE_FULL', 'wait', 'resource-constraint', 'warn'],
    ['STORE_BUSY', 'wait', 'resource-constraint', 'warn'],
    ['SLOTS_LIMITED', 'wait', 'resource-constraint', 'debug'],
    ['STORE_FAILED', 'cancel', 'internal-server-error', 'error'],
  ];
  for (const [code, type, condition, level] of refusals) {
    it(`that fails with ${code} is answered with ${condition}; only the log has the reason`, async () => {
      const { answer, lines } = await answerTo(request("filename='f' size='1'"), async () => {
        throw new FilerError(code, 'the reason', type === 'wait' ? { retryAt: Date.UTC(2026, 10, 22) } : {});
      });
      assert.deepEqual(errorIn(answer), [type, condition]);
      assert.ok(!String(answer).includes('the reason'));
      assert.deepEqual(
        lines.map((line) => line['level']),
        [level],
      );
      const stamp = answer?.getChild('error')?.getChild('retry', 'urn:xmpp:http:upload:0')?.attrs['stamp'];
      assert.equal(stamp, type === 'wait' ? '2026-11-22T00:00:00.000Z' : undefined);
    });
  }

  it('that fails unexpectedly is answered, and the error is logged', async () => {
    const { answer, lines } = await answerTo(request("filename='f' size='1'"), async () => {
      throw new TypeError('oh');
    });
    assert.deepEqual(errorIn(answer), ['cancel', 'internal-server-error']);
    assert.ok(lines[0]?.['err'] instanceof TypeError);
  });

  it('is counted, by the reason if it is refused', async () => {
    const metrics = new ProcessMetrics();
    const fail = (error: Error) => () => Promise.reject(error);
    for (const give of [
      issue,
      issue,
      fail(new FilerError('QUOTA_REACHED', 'full')),
      fail(new FilerError('STORE_REFUSED', 'no rights')),
      fail(new TypeError('oh')),
    ]) {
      await answerTo(request("filename='f' size='1'"), give, undefined, metrics);
    }
    await answerTo(request("filename='f' size='1001'"), issue, undefined, metrics);
    await answerTo(iq("<ping xmlns='urn:xmpp:ping'/>"), issue, undefined, metrics);
    const refused = (await metrics.slotsRefused.get()).values.map(({ labels, value }) => [labels['reason'], value]);
    assert.equal((await metrics.slotsGiven.get()).values[0]?.value, 2);
    assert.deepEqual(refused, [
      ['QUOTA_REACHED', 1],
      ['STORE_REFUSED', 1],
      ['UNEXPECTED', 1],
      ['SIZE_REFUSED', 1],
    ]);
  });
});

describe('the service', () => {
  const info = "<query xmlns='http://jabber.org/protocol/disco#info'";
  const commands = 'http://jabber.org/protocol/commands';
  const purposeFeatures = ['message', 'profile', 'ephemeral'].map((name) => `urn:xmpp:http:upload:purpose:0#${name}`);
  const items = "<query xmlns='http://jabber.org/protocol/disco#items'";

  it('describes itself to disco#info', async () => {
    const { answer } = await answerTo(iq(`${info}/>`));
    const query = answer?.getChild('query', 'http://jabber.org/protocol/disco#info');
    assert.deepEqual(
      { ...query?.getChild('identity')?.attrs },
      {
        category: 'store',
        type: 'file',
        name: '"Files" & <more>',
      },
    );
    const features = query?.getChildElements().flatMap(({ attrs }) => attrs['var'] ?? []);
    for (const feature of [
      'urn:xmpp:http:upload:0',
      'urn:xmpp:http:upload',
      'urn:xmpp:ping',
      commands,
      ...purposeFeatures,
    ]) {
      assert.ok(features?.includes(feature), feature);
    }
  });

  it('tells each asker its own size limit, and none if it has none', async () => {
    const { answer } = await answerTo(iq(`${info}/>`));
    assert.equal(String(answer).match(/<value>1000<\/value>/g)?.length, 2);
    const ofGateway = iq(`${info}/>`).replace(/ from='[^']*'/, " from='slidge.example.org/x'");
    const { answer: toGateway } = await answerTo(ofGateway);
    assert.equal(toGateway?.getChild('query')?.getChild('x'), undefined);
  });

  it('advertises no purpose where none makes a difference', async () => {
    const { answer } = await answerTo(iq(`${info}/>`), issue, []);
    assert.ok(!String(answer).includes('purpose'));
  });

  it('has no items, and answers a ping', async () => {
    const { answer } = await answerTo(iq(`${items}/>`));
    assert.equal(answer?.getChild('query')?.children.length, 0);
    const { answer: pong } = await answerTo(iq("<ping xmlns='urn:xmpp:ping'/>"));
    assert.deepEqual([pong?.attrs['type'], pong?.children.length], ['result', 0]);
  });

  it('lists and describes the commands of whoever asks', async () => {
    const { answer } = await answerTo(iq(`${items} node='${commands}'/>`));
    const query = answer?.getChild('query', 'http://jabber.org/protocol/disco#items');
    assert.equal(query?.attrs['node'], commands);
    const expected = { jid: 'upload.example.org', node: 'known', name: 'Known' };
    assert.deepEqual(
      query?.getChildren('item').map(({ attrs }) => ({ ...attrs })),
      [expected],
    );
    const others = await answerTo(iq(`${items} node='${commands}'/>`).replace('romeo@', 'juliet@'));
    assert.equal(others.answer?.getChild('query')?.children.length, 0);
  });

  it('describes the list of commands, and each command to those who may run it', async () => {
    const types = { [commands]: 'command-list', known: 'command-node' };
    for (const [node, type] of Object.entries(types)) {
      const { answer } = await answerTo(iq(`${info} node='${node}'/>`));
      const query = answer?.getChild('query', 'http://jabber.org/protocol/disco#info');
      const { category, type: found } = query?.getChild('identity')?.attrs ?? {};
      assert.deepEqual([query?.attrs['node'], category, found], [node, 'automation', type]);
    }
    const { answer } = await answerTo(iq(`${info} node='known'/>`).replace('romeo@', 'juliet@'));
    const error = answer?.getChild('error');
    assert.deepEqual([error?.attrs['type'], error?.getChildElements()[0]?.getName()], ['auth', 'forbidden']);
  });

  it('has no items below a command (XEP-0030 §4.3), for those who may run it', async () => {
    const { answer } = await answerTo(iq(`${items} node='known'/>`));
    const query = answer?.getChild('query', 'http://jabber.org/protocol/disco#items');
    assert.deepEqual([answer?.attrs['type'], query?.attrs['node'], query?.children.length], ['result', 'known', 0]);
    const { answer: refusal } = await answerTo(iq(`${items} node='known'/>`).replace('romeo@', 'juliet@'));
    assert.equal(refusal?.getChild('error')?.getChildElements()[0]?.getName(), 'forbidden');
  });

  it('runs commands, in an iq of type set only', async () => {
    const text = iq(`<command xmlns='${commands}' node='known'/>`);
    const { answer } = await answerTo(text.replace("'get'", "'set'"));
    const command = answer?.getChild('command', commands);
    assert.deepEqual([command?.attrs['status'], command?.getChildText('note')], ['completed', 'Done.']);
    assert.deepEqual(errorIn((await answerTo(text)).answer), ['cancel', 'service-unavailable']);
  });

  const unknown: Record<string, [string, string]> = {
    'a node of its info': [iq(`${info} node='x'/>`), 'item-not-found'],
    'a node of its items': [iq(`${items} node=''/>`), 'item-not-found'],
    'a vcard': [iq("<vCard xmlns='vcard-temp'/>"), 'service-unavailable'],
    'a request in no namespace': [iq("<request filename='f' size='1'/>"), 'service-unavailable'],
    nothing: [iq(''), 'service-unavailable'],
    'only text': [iq('x'), 'service-unavailable'],
  };
  for (const [what, [text, condition]] of Object.entries(unknown)) {
    it(`answers ${what} with an error`, async () => {
      assert.deepEqual(errorIn((await answerTo(text)).answer), ['cancel', condition]);
    });
  }

  it('refuses an iq of type set, and an iq to another address of its domain', async () => {
    const text = request("filename='f' size='1'");
    assert.deepEqual(errorIn((await answerTo(text.replace("'get'", "'set'"))).answer), [
      'cancel',
      'service-unavailable',
    ]);
    const { answer } = await answerTo(text.replace("to='", "to='x@"));
    assert.deepEqual([answer?.attrs['type'], answer?.attrs['from']], ['error', 'x@upload.example.org']);
  });

  it('ignores every stanza that is not a request', async () => {
    const child = "<request xmlns='urn:xmpp:http:upload:0' filename='f' size='1'/>";
    for (const text of [
      ...['error', 'result', '', 'x'].map(
        (type) => `<iq type='${type}' id='1' from='a@b' to='upload.example.org'>${child}</iq>`,
      ),
      `<iq id='1' from='a@b' to='upload.example.org'>${child}</iq>`,
      `<iq type='get' id='1' to='upload.example.org'>${child}</iq>`,
      `<message type='get' id='1' from='a@b' to='upload.example.org'>${child}</message>`,
      `<presence type='subscribe' id='1' from='a@b' to='upload.example.org'/>`,
    ]) {
      assert.equal((await answerTo(text)).answer, undefined, text);
    }
  });

  it('answers any iq with well-formed XML and never throws', async () => {
    const text = fc
      .string({ unit: 'grapheme', maxLength: 8 })
      .map((value) => value.replace(/\p{Cc}|\p{Cs}|\p{Cn}/gu, ''));
    const value = fc.oneof(
      text,
      fc.constantFrom('get', 'set', 'upload.example.org', 'urn:xmpp:http:upload:0', '1', 'f', 'known', 'execute'),
    );
    const name = fc.constantFrom(
      'request',
      'query',
      'ping',
      'filename',
      'size',
      'content-type',
      'x:request',
      'constructor',
      'command',
      'x',
      'field',
      'value',
    );
    const attribute = fc.constantFrom(
      ...['xmlns', 'xmlns:x', 'filename', 'size', 'content-type', 'node', 'toString'],
      ...['action', 'sessionid', 'xml:lang', 'type', 'var'],
    );
    const namespace = fc.constantFrom(
      ...['urn:xmpp:http:upload:0', 'urn:xmpp:http:upload', 'urn:xmpp:ping', 'x', commands, 'jabber:x:data'],
    );
    const attributes = fc
      .tuple(
        fc.record({ xmlns: namespace, filename: value, size: fc.constantFrom('0', '7') }),
        fc.dictionary(attribute, value),
      )
      .map(([usual, different]) => ({ ...usual, ...different }));
    const { tree } = fc.letrec<{ tree: Element }>((tie) => ({
      tree: fc
        .tuple(name, attributes, fc.array(fc.oneof({ depthSize: 'small' }, text, tie('tree')), { maxLength: 3 }))
        .map(([tag, attrs, children]) => xml(tag, attrs, ...children)),
    }));
    let given = 0;
    const property = fc.asyncProperty(
      fc.constantFrom('get', 'set'),
      tree,
      value,
      fc.oneof(value, fc.constant('upload.example.org')),
      async (type, child, id, to) => {
        const from = 'romeo@example.org';
        const { answer } = await answerTo(String(xml('iq', { type, from, id, to }, child)));
        assert.ok(answer?.attrs['to'] === from && /^(result|error)$/.test(answer.attrs['type'] ?? ''));
        given += answer.attrs['type'] === 'result' ? 1 : 0;
      },
    );
    await fc.assert(property, { numRuns: 3000 });
    assert.ok(given > 0);
  });
});
