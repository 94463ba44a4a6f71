import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { send } from '../support/http-client.js';
import { freePort } from '../support/peers.js';
import { type Program, startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { connected, put, secret, startFiler } from './component-filer.js';
import { debian13, thisDebian } from './debian.js';
import { ejabberdRefusal, startEjabberd } from './ejabberd.js';
import { gatewayJid, gatewayRefusal, gatewaySecret, uploadByGateway } from './gateway.js';
import { startProsody } from './prosody.js';
import { connectXmppClient, type XmppServer } from './xmpp-client.js';

const settings = {
  maxFileSize: '10kB',
  userQuota: '20kB',
  quota: [{ match: gatewayJid, maxFileSize: '1MB', userQuota: 'none', requestsPerMinute: 20 }],
};
const body = Buffer.alloc(100_000, 'x');

interface Issuer {
  whyNot(): string | undefined;
  /** Starts the server, where a gateway can connect to this port, and prosody-filer. */
  start(t: TestContext, port: number): Promise<{ readonly server: XmppServer; readonly filer: Program }>;
  /** How many of 20 more slots the gateway gets. */
  readonly given: number;
}

async function withComponent(t: TestContext, componentPort: number, server: XmppServer) {
  const filer = await startFiler(t, { ...settings, componentPort, component: { access: ['localhost', gatewayJid] } });
  await connected(filer);
  return { server, filer };
}

const issuers: Readonly<Record<string, Issuer>> = {
  '[component] on Prosody': {
    whyNot: () => thisDebian.missingPeer('prosody', 'prosodyctl'),
    start: async (t, componentPort) => {
      const server = await startProsody(t, { issuer: 'component', componentPort, secret, gatewaySecret });
      return withComponent(t, componentPort, server);
    },
    given: 19,
  },
  '[component] on ejabberd': {
    whyNot: () => ejabberdRefusal(),
    start: async (t, port) => {
      const componentPort = await freePort();
      const server = await startEjabberd(t, { componentPort, secret, gateway: { port, secret: gatewaySecret } });
      return withComponent(t, componentPort, server);
    },
    given: 19,
  },
  'mod_http_file_share of Prosody 13': {
    whyNot: () => debian13.missingPeer('prosody', 'prosodyctl'),
    start: async (t, componentPort) => {
      const filer = await startProgram(t, settings);
      const module = { issuer: 'file_share', baseUrl: filer.uploadUrl, secret: filer.secret } as const;
      return { filer, server: await startProsody(t, { ...module, componentPort, gatewaySecret }, debian13) };
    },
    given: 20,
  },
  'mod_http_upload of ejabberd 26': {
    whyNot: () => ejabberdRefusal(debian13),
    start: async (t, port) => {
      const filer = await startProgram(t, settings);
      const gateway = { port, secret: gatewaySecret };
      const module = { baseUrl: filer.uploadUrl, secret: filer.secret, gateway };
      return { filer, server: await startEjabberd(t, module, debian13) };
    },
    given: 20,
  },
};

for (const [name, { whyNot, start, given }] of Object.entries(issuers)) {
  it(`a gateway uploads with figures of its own: ${name}`, async (t) => {
    const reason = whyNot() ?? (await gatewayRefusal());
    if (reason !== undefined) return t.skip(reason);
    const port = await freePort();
    const { server, filer } = await start(t, port);
    const file = path.join(await tempDir(t), 'picture.txt');
    await writeFile(file, body);
    const found = await uploadByGateway(port, file, 20);
    assert.equal(found.given, given);
    assert.ok((await send(found.url)).body.equals(body));

    const client = await connectXmppClient(t, server);
    const slot = await client.requestSlot({ filename: 'f', size: body.length }).catch(() => undefined);
    assert.equal(slot === undefined ? 413 : (await put(slot, body)).status, 413);
    await filer.waitForLog(({ reason: said }) => said === '100000 bytes exceed maxFileSize, 10000');
  });
}
