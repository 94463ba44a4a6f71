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

/** What check-config says of the component with these settings. */
async function check(t: TestContext, settings: Readonly<Record<string, string | number>>): Promise<string | undefined> {
  const folder = await tempDir(t);
  const config = {
    ...{ listenPort: '127.0.0.1:0', secret: '0123456789abcdef', storeDir: 'upload', uploadSubDir: 'upload/' },
    component: { ...component, ...settings },
  };
  await writeFile(path.join(folder, 'config.toml'), toToml(config), { mode: 0o600 });
  const { stdout } = await run(process.execPath, [mainFile, 'check-config'], folder);
  return stdout.split('\n').find((line) => line.includes('component'));
}

describe('check-config with a component', () => {
  it('tells what Prosody says to it', { skip: missingPeer('prosody', 'prosodyctl') }, async (t) => {
    const port = await freePort();
    assert.match(
      (await check(t, { port })) ?? '',
      /^problem {2}component\.port: nothing listens on 127\.0\.0\.1 port \d+\. Set it to the port/,
    );
    await startProsody(t, { issuer: 'component', componentPort: port, secret: component.secret });
    const taken = `ok       component: the XMPP server at 127.0.0.1 port ${port} takes upload.localhost with this secret`;
    assert.equal(await check(t, { port }), taken);
    assert.match(
      (await check(t, { port, secret: 'x' })) ?? '',
      /^problem {2}component\.secret: the XMPP server refused it/,
    );
    assert.match(
      (await check(t, { port, jid: 'x.localhost' })) ?? '',
      /^problem {2}component\.jid: the XMPP server does not know the component x\.localhost/,
    );

    const program = await startProgram(t, { component: { ...component, port } });
    await program.waitForLog(({ msg }) => msg === 'connected to the XMPP server');
    const connected = /^warning {2}component\.jid: .* is connected already; all is well if it is prosody-filer$/;
    assert.match((await check(t, { port })) ?? '', connected);
    assert.match((await check(t, { port, secret: 'x' })) ?? '', /^problem {2}component\.secret/);
    assert.ok(!program.output().includes('not connected'));
  });

  it('is taken by ejabberd beside a running server, which stays connected', async (t) => {
    const reason = missingPeer('ejabberdctl') ?? ejabberdRefusal();
    if (reason !== undefined) return t.skip(reason);
    const port = await freePort();
    const server = await startEjabberd(t, { componentPort: port, secret: component.secret });
    assert.match((await check(t, { port, secret: 'x' })) ?? '', /^problem {2}component\.secret/);
    const program = await startProgram(t, { component: { ...component, port } });
    await program.waitForLog(({ msg }) => msg === 'connected to the XMPP server');
    assert.match((await check(t, { port })) ?? '', /^ok {7}component: .* takes upload\.localhost with this secret$/);
    const client = await connectXmppClient(t, server);
    const { put } = await client.requestSlot({ filename: 'f.txt', size: 1, contentType: 'text/plain' });
    assert.match(put.url, /^http:\/\/127\.0\.0\.1\/upload\//);
    assert.ok(!program.output().includes('not connected'));
  });
});
