/* A site whose own pages and uploads share one origin, and whose policy lets pages run what is on it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { send } from '../support/http-client.js';
import { listenOnFreePort } from '../support/listening.js';
import { layoutSettings, nginxLayouts } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { put } from '../support/uploading.js';
import { openPage, sharedBrowser } from './browser.js';
import { startNginxLayout } from './nginx.js';

const policy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; connect-src 'self'";

const runs = 'globalThis.ran = true; globalThis.postMessage?.("ran", globalThis.document && "/");';

/** Uploads of an attacker, and how a tricked page would run them; each resolves to true if it ran. */
const attacks = {
  script: {
    files: {
      'a.js': 'text/javascript',
      'b.js': 'application/x-javascript',
      'c.txt': 'text/plain',
      'd.png': 'image/png',
    },
    body: Buffer.from(runs),
    run: `(url) => new Promise((resolve) => {
      globalThis.ran = false;
      const script = Object.assign(document.createElement('script'), { src: url });
      script.onload = script.onerror = () => resolve(globalThis.ran);
      document.body.append(script);
    })`,
  },
  module: {
    files: { 'a.mjs': 'text/javascript', 'b.js': 'text/ecmascript' },
    body: Buffer.from(runs),
    run: '(url) => { globalThis.ran = false; return import(url).then(() => globalThis.ran, () => false); }',
  },
  'JSON module': {
    files: { 'a.json': 'application/json', 'b.webmanifest': 'application/manifest+json' },
    body: Buffer.from('{}'),
    run: "(url) => import(url, { with: { type: 'json' } }).then(() => true, () => false)",
  },
  worker: {
    files: { 'a.js': 'text/javascript' },
    body: Buffer.from(runs),
    run: `(url) => new Promise((resolve) => {
      const worker = new Worker(url);
      worker.onmessage = () => resolve(true);
      worker.onerror = () => resolve(false);
    })`,
  },
  'service worker': {
    files: { 'a.js': 'text/javascript' },
    body: Buffer.from(''),
    run: '(url) => navigator.serviceWorker.register(url).then(() => true, () => false)',
  },
  style: {
    files: { 'a.css': 'text/css' },
    body: Buffer.from('body { outline-width: 7px; outline-style: solid }'),
    run: `(url) => new Promise((resolve) => {
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: url });
      const finish = () => {
        const { outlineWidth } = getComputedStyle(document.body);
        link.remove();
        resolve(outlineWidth === '7px');
      };
      link.onload = link.onerror = finish;
      document.body.append(link);
    })`,
  },
  WebAssembly: {
    files: { 'a.wasm': 'application/wasm' },
    body: Buffer.from('0061736d01000000', 'hex'),
    run: '(url) => WebAssembly.compileStreaming(fetch(url)).then(() => true, () => false)',
  },
};

function pathOf(attack: string, file: string): string {
  return `/${attack.replace(' ', '-')}/${file}`;
}

/** Serves the attackers' files as the site's own, and the uploads of this server, at one origin; resolves to it. */
async function startSite(t: TestContext, uploadOrigin: string): Promise<string> {
  const files = new Map<string, { readonly type: string; readonly body: Buffer }>();
  for (const [name, attack] of Object.entries(attacks)) {
    for (const [file, type] of Object.entries(attack.files)) files.set(pathOf(name, file), { type, body: attack.body });
  }
  const server = createServer(async (request, response) => {
    const { url = '/' } = request;
    if (url.startsWith('/upload/')) {
      const { status, headers, body } = await send({ origin: uploadOrigin, rawTarget: url });
      response.writeHead(status, headers).end(body);
      return;
    }
    const { type, body } = files.get(url) ?? { type: 'text/html', body: Buffer.from('<!doctype html><body>') };
    response.writeHead(200, { 'content-type': type, 'content-security-policy': policy }).end(body);
  });
  return `http://localhost:${await listenOnFreePort(t, server)}`;
}

/** Uploads what an attacker would, and has a page of the site try to run it. */
async function attack(t: TestContext, browser: Browser, uploadOrigin: string, secret: string): Promise<void> {
  const origin = await startSite(t, uploadOrigin);
  const page = await openPage(t, browser, origin);
  for (const [name, { files, body, run }] of Object.entries(attacks)) {
    const tryIt = (path: string) => page.evaluate(`(${run})(${JSON.stringify(origin + path)})`);
    const [first = ''] = Object.keys(files);
    assert.equal(await tryIt(pathOf(name, first)), true, `${name} never runs`);
    for (const [file, type] of Object.entries(files)) {
      const key = pathOf(name, file).slice(1);
      const { status } = await put({ origin: uploadOrigin, secret }, key, body, { 'content-type': type });
      assert.equal(status, 201);
      assert.equal(await tryIt(`/upload/${key}`), false, `${name}: ${file} (${type}) runs`);
    }
  }
}

describe('no page of a site runs an upload on its origin', {
  skip: missingPeer('chromium', 'nginx', 'openssl'),
}, () => {
  const browser = sharedBrowser();

  it('sent by prosody-filer', async (t) => {
    const { origin, secret } = await startProgram(t);
    await attack(t, await browser(), origin, secret);
  });

  for (const layout of nginxLayouts) {
    it(`with layout (${layout}) of nginx.example.conf`, async (t) => {
      const program = await startProgram(t, layoutSettings[layout]);
      await attack(t, await browser(), await startNginxLayout(t, layout, program), program.secret);
    });
  }
});
