import type { TestContext } from 'node:test';
import { UploaderIds } from '../../src/upload/uploader.js';
import { send } from '../support/http-client.js';
import { freePort } from '../support/peers.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import type { Debian } from './debian.js';
import { ejabberdRefusal, startEjabberd } from './ejabberd.js';
import { startProsody } from './prosody.js';
import type { Slot, XmppServer } from './xmpp-client.js';

/** The component's domain and its secret on the XMPP server. */
export const jid = 'upload.localhost';
export const secret = 'component-pass';

/** How the keys of the peers' only account begin. */
export function aliceId({ secret }: Program): string {
  return new UploaderIds([secret]).idOf('alice@localhost');
}

/** Settings of a prosody-filer that is a component. */
export type FilerSettings = Settings & {
  readonly component?: Readonly<Record<string, string | readonly string[]>>;
  readonly listenPort?: string;
};

/** prosody-filer as a component; it must know its own address, and so its port. */
export async function startFiler(
  t: TestContext,
  { componentPort, component, listenPort, ...settings }: FilerSettings & { readonly componentPort: number },
  command: readonly string[] = [],
): Promise<Program> {
  const address = listenPort ?? `127.0.0.1:${await freePort()}`;
  const table = { jid, port: componentPort, secret, baseUrl: `http://${address}/upload/`, ...component };
  return startProgram(t, { listenPort: address, logLevel: 'debug', ...settings, component: table }, command);
}

const isConnected = ({ msg }: { readonly msg?: unknown }) => msg === 'connected to the XMPP server';

/** Resolves when the component is connected for the given time, counted from 1. */
export function connected({ logLines, waitForLog }: Program, times = 1): Promise<unknown> {
  return waitForLog((line) => isConnected(line) && logLines().filter(isConnected).length >= times, 60_000);
}

/** Uploads to a slot as a client does. */
export function put({ put: { url, headers } }: Slot, content: Buffer): Promise<{ status: number }> {
  return send(url, { method: 'PUT', headers, body: content });
}

interface ComponentServer {
  whyNot(): string | undefined;
  start(t: TestContext, port: number): Promise<XmppServer>;
}

/** The XMPP servers of a Debian, why one of them cannot run here, and how it is started for a component. */
export function serversOf(debian: Debian): Readonly<Record<string, ComponentServer>> {
  return {
    [debian.prosody]: {
      whyNot: () => debian.missingPeer('prosody', 'prosodyctl'),
      start: (t, componentPort) => startProsody(t, { issuer: 'component', componentPort, secret }, debian),
    },
    [debian.ejabberd]: {
      whyNot: () => ejabberdRefusal(debian),
      start: (t, componentPort) => startEjabberd(t, { componentPort, secret }, debian),
    },
  };
}
