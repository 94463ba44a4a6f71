import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { eventually } from '../support/eventually.js';
import type { Teardown } from '../support/temp-dir.js';
import { startTerminal, type Terminal } from './terminal.js';
import type { XmppServer } from './xmpp-client.js';

/** Starts Profanity with the server's account in a terminal; resolves when it is logged in. */
export async function startProfanity(t: Teardown, server: XmppServer): Promise<Terminal> {
  const terminal = await startTerminal(t);
  const { folder, run, screen } = terminal;
  await mkdir(path.join(folder, 'profanity'));
  await writeFile(path.join(folder, 'profanity/accounts'), toAccount(server));
  const environment = `XDG_DATA_HOME=${folder} XDG_CONFIG_HOME=${folder} LC_ALL=C.UTF-8`;
  await run(`${environment} profanity --account ${server.username}`);
  await eventually(async () => (await screen()).includes('logged in successfully'));
  return terminal;
}

/**
 * Has Profanity upload a file of this name in a chat of the server's account with itself, and download it from the URL
 * that the chat shows; resolves to what it saved.
 */
export async function sendByProfanity(t: Teardown, server: XmppServer, name: string, body: Buffer): Promise<Buffer> {
  const { folder, screen, enter } = await startProfanity(t, server);
  const [sent, saved] = [path.join(folder, name), path.join(folder, 'saved')];
  await writeFile(sent, body);

  const { username, domain } = server;
  await enter(`/msg ${username}@${domain}`);
  await enter(`/sendfile ${sent}`);
  let url: string | undefined;
  await eventually(async () => {
    url = (await screen()).split(/\s/).find((word) => word.startsWith('http') && word.endsWith(name));
    return url !== undefined;
  });
  await enter(`/url save ${url} ${saved}`);
  await eventually(async () => (await readFile(saved).catch(() => undefined))?.length === body.length);
  return readFile(saved);
}

function toAccount({ username, domain, password, port }: XmppServer): string {
  return `
[${username}]
enabled=true
jid=${username}@${domain}
password=${password}
server=127.0.0.1
port=${port}
tls.policy=disable
`;
}
