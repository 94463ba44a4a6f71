import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { openWebClient, type WebClient } from './browser.js';
import { type UploadService, WebClientUploads } from './web-client-uploads.js';

const script = 'top.postMessage("ran", "*")';
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><script>${script}</script></svg>`;

/** Documents with a script that a browser runs in a frame unless a header forbids it. */
const documents = {
  'page.html': { type: 'text/html', body: Buffer.from(`<!doctype html><script>${script}</script>`) },
  'image.svg': { type: 'image/svg+xml', body: Buffer.from(svg) },
  'page.xhtml': {
    type: 'application/xhtml+xml',
    body: Buffer.from(`<html xmlns="http://www.w3.org/1999/xhtml"><head><script>${script}</script></head></html>`),
  },
};

/** Scripts with another type, which a browser runs all the same unless a header forbids it. */
const disguisedScripts = {
  'script.txt': { type: 'text/plain', body: Buffer.from(script) },
  'script.html': { type: 'text/html', body: Buffer.from(script) },
  'script.bin': { type: 'application/octet-stream', body: Buffer.from(script) },
};

const frames = { iframe: 'src', object: 'data', embed: 'src' };

const gif = Buffer.from('R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==', 'base64');

async function checkProgress(client: WebClient, uploads: WebClientUploads): Promise<void> {
  const slot = uploads.newSlot('large.bin');
  const body = Buffer.alloc(4_000_000);
  await client.throttle({ up: 10_000_000 });
  const { status, progress } = await uploads.put(uploads.putUrl(slot, body.length), body);
  await client.throttle({});
  assert.equal(status, 201);
  assert.ok(progress.length > 2, `progress only at ${progress}`);
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  );
  assert.equal(progress.at(-1), body.length);
}

async function checkErrors(uploads: WebClientUploads): Promise<void> {
  const body = Buffer.alloc(1_000_000);
  const slot = uploads.newSlot('file.txt');
  const put = (url: string, headers = {}) => uploads.put(url, body, headers);
  assert.equal((await put(`${slot.url}?v=00`)).status, 403);
  assert.equal((await put(slot.url)).status, 403);
  assert.equal((await put(slot.url, { Authorization: 'Basic eDp5' })).status, 401);
  assert.equal((await put(slot.url, uploads.authorization(slot, body.length - 1))).status, 413);
  assert.equal((await put(`${slot.url}%01?v=00`)).status, 400);
  assert.equal((await uploads.get(slot.url)).status, 404);
  assert.equal((await uploads.get(slot.url, { method: 'POST' })).status, 405);

  assert.equal((await put(slot.url, uploads.authorization(slot, body.length))).status, 201);
  assert.equal((await put(uploads.putUrl(slot, body.length))).status, 409);
  assert.equal((await uploads.get(slot.url, { headers: { Range: 'bytes=1000000-' } })).status, 416);
}

async function checkHeaders(uploads: WebClientUploads): Promise<void> {
  const url = await uploads.upload('hello.txt', 'text/plain', Buffer.from('hello world'));
  const whole = await uploads.get(url);
  assert.deepEqual([whole.status, whole.text, whole.headers['content-length']], [200, 'hello world', '11']);
  assert.match(whole.headers['etag'] ?? '', /^"/);
  const part = await uploads.get(url, { headers: { Range: 'bytes=6-' }, cache: 'no-store' });
  assert.deepEqual([part.status, part.text, part.headers['content-range']], [206, 'world', 'bytes 6-10/11']);
  assert.equal(part.headers['etag'], whole.headers['etag']);
  // Libraries, players and sites such as Nextcloud add headers to each request.
  const more = { 'X-Requested-With': 'XMLHttpRequest', requesttoken: 'x', 'X-Playback-Session-Id': 'x' };
  const again = await uploads.get(url, { headers: { ...more, 'If-None-Match': '"x"' }, cache: 'no-store' });
  assert.deepEqual([again.status, again.text], [200, 'hello world']);
}

/** The first page that needs the video records it, since that takes seconds. */
let recording: Promise<string> | undefined;

async function checkVideo(client: WebClient, uploads: WebClientUploads): Promise<void> {
  const { page } = client;
  recording ??= client.call<string>('recordVideo', 4);
  const video = Buffer.from(await recording, 'base64');
  const url = await uploads.upload('video.webm', 'video/webm', video);
  const range = new RegExp(`^bytes [1-9]\\d*-${video.length - 1}/${video.length}$`);
  // So slow that the end is not there yet when it is sought.
  await client.throttle({ down: 4_000_000 });
  const seeking = page.waitForResponse(
    (response) => response.status() === 206 && range.test(response.headers()['content-range'] ?? ''),
  );
  await Promise.all([client.call('playAndSeek', url), seeking]);
  await client.throttle({});

  await page.goto(url);
  await page.waitForFunction('document.querySelector("video").readyState === 4');
  await page.goto(client.origin);
}

/** Whether the script in a URL runs when the web client embeds it. */
async function runsEmbedded({ page, call }: WebClient, tag: string, attribute: string, url: string): Promise<boolean> {
  const noteDownload = () => call('noteDownload');
  const before = await page.evaluate('webClient.scriptRuns');
  page.on('download', noteDownload);
  await call('embed', tag, attribute, url);
  page.off('download', noteDownload);
  return (await page.evaluate('webClient.scriptRuns')) !== before;
}

async function checkFrames(client: WebClient, uploads: WebClientUploads): Promise<void> {
  for (const [name, { type, body }] of Object.entries(documents)) {
    const url = await uploads.upload(name, type, body);
    for (const [tag, attribute] of Object.entries(frames)) {
      assert.ok(await runsEmbedded(client, tag, attribute, `${client.origin}/${name}`), `${name} never runs in ${tag}`);
      assert.ok(!(await runsEmbedded(client, tag, attribute, url)), `${name} runs in ${tag}`);
    }
  }
}

async function checkScripts(client: WebClient, uploads: WebClientUploads): Promise<void> {
  for (const [name, { type, body }] of Object.entries(disguisedScripts)) {
    const url = await uploads.upload(name, type, body);
    assert.ok(await runsEmbedded(client, 'script', 'src', `${client.origin}/${name}`), `${name} never runs`);
    assert.ok(!(await runsEmbedded(client, 'script', 'src', url)), `${name} runs`);
  }
}

async function checkNavigation({ page, origin }: WebClient, uploads: WebClientUploads): Promise<void> {
  for (const [name, { type, body }] of Object.entries(documents)) {
    const url = await uploads.upload(name, type, body);
    const [download] = await Promise.all([page.waitForEvent('download'), assert.rejects(page.goto(url), /Download/)]);
    assert.equal(download.suggestedFilename(), name);
    assert.equal(page.url(), `${origin}/`);
  }
}

const letter = 'Schöne Grüße aus Köln, und bis zum nächsten Mal! Übrigens: der Kaffee ist heiß.';

async function checkPlainText(
  { page, origin }: WebClient,
  uploads: WebClientUploads,
  encodings: readonly BufferEncoding[],
): Promise<void> {
  const { body } = documents['page.html'];
  await page.goto(await uploads.upload('page.txt', 'text/plain', body));
  const shown = await page.evaluate('[document.contentType, document.body.textContent]');
  assert.deepEqual(shown, ['text/plain', body.toString()]);
  // Text without a charset in both encodings. Browsers cannot tell UTF-8 by the bytes.
  for (const encoding of encodings) {
    await page.goto(origin);
    await page.goto(await uploads.upload(`${encoding}.txt`, 'text/plain', Buffer.from(letter, encoding)));
    assert.equal(await page.evaluate('document.body.textContent'), letter, encoding);
  }
  await page.goto(origin);
}

/**
 * Has a web client in Chromium, on a site of its own, do with this service what web clients do and what attackers try,
 * each a subtest of `t`; `sendsNosniff`: whether downloads come with X-Content-Type-Options, which no S3 service sends;
 * `readsTexts`: whether the charset of a text goes by its bytes, which it does not if nginx goes by the name.
 */
export async function checkInBrowser(
  t: TestContext,
  browser: Browser,
  service: UploadService,
  { sendsNosniff = true, readsTexts = true } = {},
): Promise<void> {
  const client = await openWebClient(t, browser, { ...documents, ...disguisedScripts });
  const uploads = new WebClientUploads(client, service);
  const showImage = async (name: string, type: string, body: Buffer): Promise<number | undefined> => {
    const url = await uploads.upload(name, type, body);
    return (await client.call<{ naturalWidth?: number }>('embed', 'img', 'src', url)).naturalWidth;
  };
  await t.test('uploads with progress', () => checkProgress(client, uploads));
  await t.test('reads the status of every refusal', () => checkErrors(uploads));
  await t.test('reads size, ETag and range of a download', () => checkHeaders(uploads));
  await t.test('shows images', async () => {
    assert.equal(await showImage('image.gif', 'image/gif', gif), 1);
    assert.equal(await showImage('image.svg', 'image/svg+xml', documents['image.svg'].body), 40);
  });
  await t.test('plays a video and seeks in it', () => checkVideo(client, uploads));
  await t.test('runs no uploaded document in a frame', () => checkFrames(client, uploads));
  if (sendsNosniff) {
    await t.test('runs no script that was uploaded as something else', () => checkScripts(client, uploads));
  }
  await t.test('saves an uploaded document that is opened', () => checkNavigation(client, uploads));
  await t.test('shows plain text that looks like HTML as it is', () =>
    checkPlainText(client, uploads, readsTexts ? ['utf8', 'latin1'] : ['utf8']),
  );
}
