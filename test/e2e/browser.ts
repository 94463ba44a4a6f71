import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { TestContext } from 'node:test';
import { chromium, type Page } from 'playwright-core';
import { findProgram } from '../support/peers.js';

const script = { type: 'text/javascript', body: readFileSync(new URL('web-client.js', import.meta.url)) };
const html = {
  type: 'text/html',
  body: Buffer.from(`<!doctype html><body><script type="module">
    import * as webClient from './web-client.js';
    globalThis.webClient = webClient;
  </script>`),
};

/** Files by name, with their types. */
export type Files = Readonly<Record<string, { readonly type: string; readonly body: Buffer }>>;

/** A page of a web client in headless Chromium. */
export interface WebClient {
  readonly page: Page;
  /** Of the page, without a slash. */
  readonly origin: string;
  /** Calls a function of web-client.js; arguments and result are what JSON can hold. */
  call<Result>(name: string, ...args: readonly unknown[]): Promise<Result>;
  /** Lets the page send and receive so many bytes a second; without a limit as many as it can. */
  throttle(limits: { readonly up?: number; readonly down?: number }): Promise<void>;
}

async function serveFiles(t: Pick<TestContext, 'after'>, files: Files): Promise<number> {
  const server = createServer((request, response) => {
    const { type, body } = files[request.url?.slice(1) ?? ''] ?? html;
    response.setHeader('content-type', type).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the web client has no port');
  return address.port;
}

/** Opens the page of web-client.js in a browser of its own; its server has these files too, and forbids nothing. */
export async function openWebClient(t: Pick<TestContext, 'after'>, files: Files): Promise<WebClient> {
  // Another site than 127.0.0.1, not only another port: browsers keep more from those.
  const origin = `http://localhost:${await serveFiles(t, { ...files, 'web-client.js': script })}`;
  const executablePath = findProgram('chromium') ?? 'chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  t.after(() => browser.close());
  // The certificates of tests are their own.
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(origin);
  const network = await page.context().newCDPSession(page);
  return {
    page,
    origin,
    call: (name, ...args) => page.evaluate(`webClient.${name}(...${JSON.stringify(args)})`),
    throttle: async ({ up = -1, down = -1 }) => {
      const conditions = { offline: false, latency: 0, uploadThroughput: up, downloadThroughput: down };
      await network.send('Network.emulateNetworkConditions', conditions);
    },
  };
}
