import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { buildMetricsApp } from '../../src/http/metrics-app.js';
import type { Overview } from '../../src/http/page/overview.js';
import { Metrics } from '../../src/metrics.js';
import { run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { busyOverview, emptyOverview, fullOverview } from '../support/overviews.js';
import { freePort, missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { beginPut, get, put } from '../support/uploading.js';
import { componentSecret, startRawXmppServer } from '../support/xmpp-server.js';
import { sharedBrowser } from './browser.js';

/** Where the pictures go if this is set, to look at them. */
const shotsFolder = process.env['PAGE_SHOTS'];

const phone = { width: 360, height: 740 };

const states: Readonly<Record<string, { readonly overview: () => Overview; readonly failure?: string }>> = {
  empty: { overview: emptyOverview },
  busy: { overview: busyOverview },
  full: {
    overview: fullOverview,
    failure: '4096 bytes do not fit: 600000000 are free, and 1000000000 of them must stay free (minFreeSpace)',
  },
};

/** The address of a page that shows these figures. */
async function servePage(t: TestContext, overview: Overview, failure: string | undefined): Promise<string> {
  const check = async () => {
    if (failure !== undefined) throw new Error(failure);
  };
  const readRegistry = async () => new Metrics().registry;
  const app = buildMetricsApp({ store: { check }, readRegistry, readOverview: async () => overview });
  t.after(() => app.close());
  return app.listen({ host: '127.0.0.1', port: 0 });
}

/** The least contrast between a text and its background, as WCAG 2 defines it, and the text. */
function leastContrast(page: Page): Promise<{ readonly ratio: number; readonly text: string }> {
  return page.evaluate(`(() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = (colour) => {
      const [r, g, b] = parse(colour).map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgroundOf = (element) => {
      const { backgroundColor } = getComputedStyle(element);
      return parse(backgroundColor)[3] === 0 ? backgroundOf(element.parentElement) : backgroundColor;
    };
    const texts = [...document.body.querySelectorAll('*')].filter((element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''));
    const ratios = texts.map((element) => {
      const pair = [luminance(getComputedStyle(element).color), luminance(backgroundOf(element))];
      return { ratio: (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), text: element.textContent };
    });
    return ratios.sort((a, b) => a.ratio - b.ratio)[0];
  })()`);
}

describe('the page on a phone', { skip: missingPeer('chromium') }, () => {
  const browser = sharedBrowser();

  for (const [state, { overview, failure }] of Object.entries(states)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`is readable with the ${state} store and ${colorScheme} colours`, async (t) => {
        const url = await servePage(t, overview(), failure);
        const context = await (await browser()).newContext({ viewport: phone, deviceScaleFactor: 2, colorScheme });
        t.after(() => context.close());
        const page = await context.newPage();
        const complaints: string[] = [];
        const requests: string[] = [];
        page.on('console', (message) => complaints.push(message.text()));
        page.on('request', (request) => requests.push(request.url()));
        await page.goto(url);
        if (shotsFolder !== undefined) {
          await mkdir(shotsFolder, { recursive: true });
          await page.screenshot({ path: path.join(shotsFolder, `${state}-${colorScheme}.png`), fullPage: true });
        }
        assert.deepEqual([complaints, requests], [[], [`${url}/`]]);
        const width = await page.evaluate<number>('document.documentElement.scrollWidth');
        assert.ok(width <= phone.width, `it is ${width} px wide`);
        const { ratio, text } = await leastContrast(page);
        assert.ok(ratio >= 4.5, `the contrast of "${text}" is ${ratio}`);
        const background = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
        assert.equal(background, colorScheme === 'light' ? 'rgb(245, 246, 248)' : 'rgb(15, 18, 22)');
        assert.equal(await page.getByRole('heading', { name: 'All is well' }).count(), failure === undefined ? 1 : 0);
      });
    }
  }
});

describe('the page of the program', () => {
  for (const workers of [1, 2]) {
    it(`shows what ${workers === 1 ? 'one process does' : 'the workers do'}`, async (t) => {
      const server = await startRawXmppServer(t);
      const component = {
        ...{ jid: 'upload.example.org', host: '127.0.0.1', port: server.port },
        ...{ secret: componentSecret, baseUrl: 'https://uploads.example.org/upload/' },
      };
      const metricsListen = `127.0.0.1:${await freePort()}`;
      const program = await startProgram(t, { metricsListen, workers, component });
      const read = async () => (await send(`http://${metricsListen}/`)).body.toString().replace(/<[^>]*>/g, ' ');
      const shows = (claim: RegExp) => eventually(async () => claim.test((await read()).replace(/\s+/g, ' ')));
      await shows(/XMPP server : not connected as upload\.example\.org for/);
      await server.nextReady();
      await shows(/All is well .*XMPP server : connected as upload\.example\.org for (\d|less)/);
      const uploader = '89166b4c18742fa49474c4099833b0b027e43bfe0634acd0fff4e9586a7f3a7f';
      await put(program, `${uploader}/s/f`, Buffer.alloc(10_000));
      await put(program, `${uploader}/s/f`, Buffer.alloc(10_000));
      await get(program, `${uploader}/s/f`);
      const { socket } = await beginPut(t, program, 's/g', 10, '01234');
      await shows(/Stored: 10\.00 KB .* Free: [\d.]+ [GT]B/);
      await shows(
        /Uploads 1 1 10\.00 KB 1 10\.00 KB Downloads 0 1 10\.00 KB 1 10\.00 KB Slots given 0 0 Slots refused 0 0/,
      );
      await shows(/Status 409 The file exists .* PUT KEY_TAKEN 1 1/);
      await shows(/89166b4c… 10\.00 KB/);
      await shows(/The next one begins in 59 min .* The last one ended .* ago and took .* Deleted: 0/);
      socket.destroy();
      await shows(/Uploads 0 1 10\.00 KB/);
    });
  }

  it('is not up to date, and says so, while a worker does not answer', { skip: missingPeer('pgrep') }, async (t) => {
    const metricsListen = `127.0.0.1:${await freePort()}`;
    const program = await startProgram(t, { metricsListen, workers: 2 });
    await put(program, 's/f', Buffer.alloc(10_000));
    const { stdout } = await run('pgrep', ['--parent', String(program.pid)]);
    const worker = Number(stdout.split('\n')[0]);
    process.kill(worker, 'SIGSTOP');
    const page = (
      await send(`http://${metricsListen}/`).finally(() => process.kill(worker, 'SIGCONT'))
    ).body.toString();
    assert.match(
      page,
      new RegExp(`Figures</b>: not up to date: worker ${worker} did not report its metrics within 5 s`),
    );
    await eventually(async () => (await send(`http://${metricsListen}/`)).body.includes('All is well'));
  });
});
