import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { freePort, missingPeer } from '../support/peers.js';
import { startProgram, toToml } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { ejabberdRefusal, startEjabberd } from './ejabberd.js';
import { startProsody } from './prosody.js';
import { connectXmppClient } from './xmpp-client.js';

const component = { jid: 'upload.localhost', secret: 'component-pass', baseUrl: 'http://127.0.0.1/upload/' };

/** What check-config prints about the component with these settings. */
async function check(t: TestContext, settings: Readonly<Record<string, string | number>>): Promise<string> {
  const folder = await tempDir(t);
  const config = {
    ...{ listenPort: '127.0.0.1:0', secret: '0123456789abcdef', storeDir: 'upload', uploadSubDir: 'upload/' },
    component: { ...component, ...settings },
  };
  await writeFile(path.join(folder, 'config.toml'), toToml(config), { mode: 0o600 });
  const { stdout } = await run(process.execPath, [mainFile, 'check-config'], folder);
  const [text = ''] = /^\w+ +component .*\n( {8}.*\n)*/m.exec(stdout) ?? [];
  return text;
}

describe('check-config with a component', () => {
  it('reports how Prosody answers', { skip: missingPeer('prosody', 'prosodyctl') }, async (t) => {
    const port = await freePort();
    assert.match(
      await check(t, { port }),
      /^PROBLEM component {8}component\.port: nothing listens on 127\.0\.0\.1 port \d+\. Set it to the port.*\n {8}change: Compare \[component\] with/,
    );
    await startProsody(t, { issuer: 'component', componentPort: port, secret: component.secret });
    const accepted = `The XMPP server at 127.0.0.1 port ${port} accepts upload.localhost with this secret.`;
    assert.equal(await check(t, { port }), `ok      component        ${accepted}\n`);
    assert.match(
      await check(t, { port, secret: 'x' }),
      /^PROBLEM component {8}component\.secret: the XMPP server refused it/,
    );
    assert.match(
      await check(t, { port, jid: 'x.localhost' }),
      /^PROBLEM component {8}component\.jid: the XMPP server does not know the component x\.localhost/,
    );

    const program = await startProgram(t, { component: { ...component, port } });
    await program.waitForLog(({ msg }) => msg === 'connected to the XMPP server');
    const connected =
      /^warning component {8}component\.jid: .* is connected already\n {8}change: Nothing, if prosody-filer runs\./;
    assert.match(await check(t, { port }), connected);
    assert.match(await check(t, { port, secret: 'x' }), /^PROBLEM component {8}component\.secret/);
    assert.ok(!program.output().includes('not connected'));
  });

  it('is accepted by ejabberd while the server stays connected', async (t) => {
    const reason = ejabberdRefusal();
    if (reason !== undefined) return t.skip(reason);
    const port = await freePort();
    const server = await startEjabberd(t, { componentPort: port, secret: component.secret });
    assert.match(await check(t, { port, secret: 'x' }), /^PROBLEM component {8}component\.secret/);
    const program = await startProgram(t, { component: { ...component, port } });
    await program.waitForLog(({ msg }) => msg === 'connected to the XMPP server');
    assert.match(await check(t, { port }), /^ok {6}component {8}.* accepts upload\.localhost with this secret\.\n$/);
    const client = await connectXmppClient(t, server);
    const { put } = await client.requestSlot({ filename: 'f.txt', size: 1, contentType: 'text/plain' });
    assert.match(put.url, /^http:\/\/127\.0\.0\.1\/upload\//);
    assert.ok(!program.output().includes('not connected'));
  });
});
