import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { listenOnFreePort } from '../support/listening.js';
import { missingPeer, peersFolder, skipOrFail } from '../support/peers.js';
import type { Teardown } from '../support/temp-dir.js';
import { openPage } from './browser.js';
import type { XmppServer } from './xmpp-client.js';

const distribution = path.join(peersFolder, 'converse.js-14.0.0');
const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.css': 'text/css' };

/** Returns the reason to skip a test of Converse.js, if there is one; throws it if CI=true. */
export function missingConverse(): string | undefined {
  const missing = missingPeer('chromium', 'prosody');
  if (missing !== undefined || existsSync(distribution)) return missing;
  return skipOrFail(`not there: ${distribution} (see test/e2e/install-peers.sh)`);
}

/** Opens a page of Converse.js on which the first user chats with the second. */
export type OpenChat = (user: string, other: string) => Promise<Page>;

/** Serves Converse.js for the users of a Prosody, whose WebSocket is on this port. */
export async function serveConverse(
  t: Teardown,
  browser: Browser,
  { domain, password }: XmppServer,
  webSocketPort: number,
): Promise<OpenChat> {
  const toPage = ({ user, other }: Readonly<Record<string, string>>) => {
    const settings = {
      ...{ jid: `${user}@${domain}`, password, auto_login: true },
      ...{ websocket_url: `ws://${domain}:${webSocketPort}/xmpp-websocket`, discover_connection_methods: false },
      auto_join_private_chats: [`${other}@${domain}`],
      // It computes keys for seconds.
      blacklisted_plugins: ['converse-omemo', 'converse-omemo-views'],
      ...{ persistent_store: 'sessionStorage', assets_path: '/', i18n: 'en' },
    };
    return `<!doctype html><link rel="stylesheet" href="converse.min.css"><body>
      <script type="module">import './converse.min.js'; converse.initialize(${JSON.stringify(settings)});</script>`;
  };
  const server = createServer(async ({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://x');
    // Its page shows pictures from the Internet.
    response.setHeader('content-security-policy', "img-src 'self' data: blob: http://127.0.0.1:*");
    response.setHeader('content-type', types[path.extname(pathname)] ?? 'text/html');
    if (pathname === '/') response.end(toPage(Object.fromEntries(searchParams)));
    else response.end(await readFile(path.join(distribution, pathname)).catch(() => ''));
  });
  const origin = `http://localhost:${await listenOnFreePort(t, server)}`;
  return async (user, other) => {
    const page = await openPage(t, browser, `${origin}/?user=${user}&other=${other}`);
    await page.waitForSelector('.fileupload', { state: 'attached' });
    return page;
  };
}
