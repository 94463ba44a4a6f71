import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { type Element, xml } from '@xmpp/client';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { freePort, missingPeer } from '../support/peers.js';
import { bearer } from '../support/tokens.js';
import { connected, put, serversOf, startFiler } from './component-filer.js';
import { thisDebian } from './debian.js';
import { startProfanity } from './profanity.js';
import type { Terminal } from './terminal.js';
import { connectXmppClient, type XmppClient, type XmppServer } from './xmpp-client.js';

const commandsNs = 'http://jabber.org/protocol/commands';
const formNs = 'jabber:x:data';
const service = 'upload.localhost';

/** A filer with uploads of alice's, who is an admin too: from its own slots, and one by a Bearer token. */
async function startWithUploads(t: TestContext, start: (t: TestContext, port: number) => Promise<XmppServer>) {
  const componentPort = await freePort();
  const server = await start(t, componentPort);
  const settings = { userQuota: '5GB', component: { admins: ['alice@localhost'] } };
  const filer = await startFiler(t, { componentPort, ...settings });
  await connected(filer);
  const client = await connectXmppClient(t, server);
  const slots = [];
  for (const [filename, size] of Object.entries({ 'photo.jpg': 123_456, 'voice message.ogg': 4096, 'notes.txt': 26 })) {
    const slot = await client.requestSlot({ filename, size });
    assert.equal((await put(slot, Buffer.alloc(size))).status, 201);
    slots.push({ ...slot, content: Buffer.alloc(size) });
  }
  const claims = { slot: 's', filename: 'f.pdf', filesize: 5, sub: 'alice@localhost', exp: Date.now() / 1000 + 60 };
  const headers = { authorization: bearer(claims, { key: filer.secret }) };
  const byBearer = `${filer.uploadUrl}s/f.pdf`;
  assert.equal((await send(byBearer, { method: 'PUT', headers, body: Buffer.from('hello') })).status, 201);
  return { server, filer, client, slots, byBearer };
}

/** A step of a command, with the values of its form. */
function step(client: XmppClient, attributes: Record<string, string>, values?: Record<string, string>) {
  const fields = Object.entries(values ?? {}).map(([name, value]) =>
    xml('field', { var: name }, xml('value', {}, value)),
  );
  const form = values === undefined ? [] : [xml('x', { xmlns: formNs, type: 'submit' }, ...fields)];
  return client.change(xml('command', { xmlns: commandsNs, ...attributes }, ...form), 'command');
}

function fixedLines(command: Element): (string | undefined)[] {
  const fields = command.getChild('x', formNs)?.getChildren('field') ?? [];
  return fields.map((field) =>
    field
      .getChild('value')
      ?.text()
      .replace(/, \d.*/, ''),
  );
}

for (const [name, { whyNot, start }] of Object.entries(serversOf(thisDebian))) {
  it(`the commands of users on ${name}`, async (t) => {
    const reason = whyNot();
    if (reason !== undefined) return t.skip(reason);
    const { client, slots, byBearer, filer } = await startWithUploads(t, start);
    const list = await client.ask(
      xml('query', { xmlns: 'http://jabber.org/protocol/disco#items', node: commandsNs }),
      'query',
    );
    const nodes = list.getChildren('item').map(({ attrs }) => attrs['node']);
    assert.deepEqual(nodes, ['my-uploads', 'delete-one', 'delete-all', 'statistics', 'delete-of-user']);

    const shown = await step(client, { node: 'my-uploads' });
    assert.deepEqual(new Set(fixedLines(shown)), new Set(['f.pdf', 'notes.txt', 'voice message.ogg', 'photo.jpg']));
    const all = await step(client, { node: 'delete-all' });
    const { sessionid = '' } = all.attrs;
    assert.equal(all.attrs['status'], 'executing');
    const done = await step(client, { node: 'delete-all', sessionid, action: 'complete' }, { confirm: '1' });
    assert.deepEqual(
      [done.attrs['status'], done.getChild('note')?.text()],
      ['completed', 'Deleted 4 uploads, 127.58 KB.'],
    );
    for (const url of [...slots.map(({ get }) => get), byBearer]) assert.equal((await send(url)).status, 410);
    for (const slot of slots) assert.equal((await put(slot, slot.content)).status, 409);
    const { uploader, by, reason: said } = await filer.waitForLog(({ msg }) => msg === 'deleted');
    assert.deepEqual([uploader, by, said], ['alice@localhost', 'alice@localhost', 'asked by uploader']);
  });
}

/** Types a line, and waits until the screen shows a text and no other. COMMANDS_DIALOGUE names a file to keep the screens in. */
function dialogue({ enter, screen }: Terminal) {
  const said: string[] = [];
  return async (line: string, text: string, not = '\0') => {
    await enter(line);
    let shown = '';
    await eventually(async () => {
      shown = await screen();
      return shown.includes(text) && !shown.includes(not);
    });
    const lines = shown.split('\n').map((row) => row.trimEnd());
    said.push(`> ${line}`, ...lines.filter((row) => /^\d\d:\d\d:\d\d/.test(row)), '');
    const file = process.env['COMMANDS_DIALOGUE'];
    if (file !== undefined) await writeFile(file, said.join('\n'));
  };
}

describe('Profanity', { skip: missingPeer('prosody', 'profanity', 'tmux') ?? false }, () => {
  it('lists the commands, shows the uploads, and deletes one of them and then all', async (t) => {
    const { start } = serversOf(thisDebian)[thisDebian.prosody] ?? assert.fail('no Prosody');
    const { server, client, slots, byBearer } = await startWithUploads(t, start);
    await client.stop();
    const terminal = await startProfanity(t, server);
    const say = dialogue(terminal);
    await say('/clear', '', 'Welcome');
    await say(`/cmd list ${service}`, 'my-uploads');
    await say(`/cmd exec my-uploads ${service}`, 'voice message.ogg, 4.10 KB');
    await say('/form submit', "Use '/form cancel'", "Use '/form submit'");
    await say('/close', 'my-uploads completed');
    await say(`/cmd exec delete-one ${service}`, '[1] ');
    await say('/field1 1', 'Field updated');
    await say('/form submit', 'The upload is deleted.');
    await say(`/cmd exec statistics ${service}`, 'Largest uploaders');
    await say('/close', 'statistics completed');
    await say(`/cmd exec delete-all ${service}`, 'Delete all 3 uploads');
    await say('/field1 on', 'TRUE');
    await say('/form submit', 'Deleted 3 uploads');
    await say(`/cmd exec my-uploads ${service}`, 'You have no uploads.');
    for (const url of [...slots.map(({ get }) => get), byBearer]) assert.equal((await send(url)).status, 410);
  });
});
