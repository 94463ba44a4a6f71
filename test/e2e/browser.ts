import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type Browser, chromium, type Page } from 'playwright-core';
import { listenOnFreePort } from '../support/listening.js';
import { findProgram } from '../support/peers.js';
import { shared } from '../support/shared.js';
import type { Teardown } from '../support/temp-dir.js';

const script = { type: 'text/javascript', body: readFileSync(new URL('web-client.js', import.meta.url)) };
const html = {
  type: 'text/html',
  body: Buffer.from(`<!doctype html><body><script type="module">
    import * as webClient from './web-client.js';
    globalThis.webClient = webClient;
  </script>`),
};

interface File {
  readonly type: string;
  readonly body: Buffer;
}

/** Files by name, with their types. */
export type Files = Readonly<Record<string, File>>;

/** A page of a web client in headless Chromium. */
export interface WebClient {
  readonly page: Page;
  /** Of the page, without a slash. */
  readonly origin: string;
  /** Has the page's server serve these bytes, too; returns their URL. */
  serve(body: Buffer): string;
  /** Calls a function of web-client.js; arguments and result are what JSON can hold. */
  call<Result>(name: string, ...args: readonly unknown[]): Promise<Result>;
  /** Lets the page send and receive so many bytes a second; without a limit as many as it can. */
  throttle(limits: { readonly up?: number; readonly down?: number }): Promise<void>;
}

/** The browser that the tests of a suite share, a page with its own storage each. */
export function sharedBrowser(): () => Promise<Browser> {
  return shared(async (t) => {
    const executablePath = findProgram('chromium') ?? 'chromium';
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    t.after(() => browser.close());
    return browser;
  });
}

/** Opens a page with its own storage, whatever the certificate of its site; the end of `t` closes it. */
export async function openPage(t: Teardown, browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  t.after(() => page.close());
  await page.goto(url);
  return page;
}

/** Opens the page of web-client.js; its server has these files too, and forbids nothing. */
export async function openWebClient(t: Teardown, browser: Browser, files: Files = {}): Promise<WebClient> {
  const served = new Map<string, File>(Object.entries({ ...files, 'web-client.js': script }));
  const server = createServer(({ url = '' }, response) => {
    const { type, body } = served.get(url.slice(1)) ?? html;
    response.setHeader('content-type', type).end(body);
  });
  // Another site than 127.0.0.1, not only another port: browsers keep more from those.
  const origin = `http://localhost:${await listenOnFreePort(t, server)}`;
  const page = await openPage(t, browser, origin);
  const network = await page.context().newCDPSession(page);
  let bodies = 0;
  return {
    page,
    origin,
    serve: (body) => {
      bodies += 1;
      served.set(`body-${bodies}`, { type: 'application/octet-stream', body });
      return `${origin}/body-${bodies}`;
    },
    call: (name, ...args) => page.evaluate(`webClient.${name}(...${JSON.stringify(args)})`),
    throttle: async ({ up = -1, down = -1 }) => {
      const conditions = { offline: false, latency: 0, uploadThroughput: up, downloadThroughput: down };
      await network.send('Network.emulateNetworkConditions', conditions);
    },
  };
}
