import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { startLossyProxy } from '../support/lossy-proxy.js';
import { freePort } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { shared } from '../support/shared.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { openWebClient, sharedBrowser } from './browser.js';
import { missingConverse, serveConverse } from './converse.js';
import { startProsody } from './prosody.js';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Ten seconds of silence as MP3: frames of 128 kbit/s at 44.1 kHz, all zero after their headers. */
const mp3 = Buffer.alloc(383 * 417, Buffer.concat([Buffer.of(0xff, 0xfb, 0x90, 0), Buffer.alloc(413)]));

describe('Converse.js', { skip: missingConverse() }, () => {
  const browser = sharedBrowser();
  const service = shared(async (t) => {
    const filer = await startProgram(t, { maxFileSize: '5MB' });
    const webSocketPort = await freePort();
    const network = await startLossyProxy(t, filer.origin);
    const slots = { issuer: 'file_share', baseUrl: `${network.origin}/upload/`, secret: filer.secret } as const;
    const prosody = await startProsody(t, { ...slots, webSocketPort });
    const openChat = await serveConverse(t, await browser(), prosody, webSocketPort);
    const [alice, bob] = await Promise.all([openChat('alice', 'bob'), openChat('bob', 'alice')]);
    return { filer, network, openChat, alice, bob };
  });

  it('uploads pictures, video and audio, which the other user sees and plays', async (t) => {
    const { alice, bob } = await service();
    const sendFile = (name: string, mimeType: string, buffer: Buffer) =>
      alice.setInputFiles('.fileupload', { name, mimeType, buffer });

    await sendFile('🌻 très cool.png', 'image/png', png);
    for (const page of [alice, bob]) {
      await page.waitForFunction(`[...document.querySelectorAll('converse-chat-message img')].some(
        ({ src, naturalWidth }) => src.endsWith('/%F0%9F%8C%BB%20tr%C3%A8s%20cool.png') && naturalWidth === 1,
      )`);
    }

    const recorder = await openWebClient(t, await browser());
    await sendFile('film.webm', 'video/webm', Buffer.from(await recorder.call<string>('recordVideo', 1), 'base64'));
    // Converse.js may replace the element when a receipt comes.
    await bob.waitForFunction(`(() => {
      const film = document.querySelector('converse-chat-message video');
      if (film?.paused && film.currentTime === 0) film.play().catch(() => {});
      return film?.currentTime > 0.1;
    })()`);

    await sendFile('silence.mp3', 'audio/mpeg', mp3);
    await bob.click('converse-audio-player .audio-player__play-btn');
    await bob.waitForFunction("document.querySelector('converse-audio-player').current_time > 0.1");
  });

  it('shows that a file is too large for the slot, but no reason if only prosody-filer refuses it', async (t) => {
    const { alice } = await service();
    const folder = await tempDir(t);
    const sendLarge = async (name: string, size: number) => {
      await writeFile(path.join(folder, name), '');
      await truncate(path.join(folder, name), size);
      await alice.setInputFiles('.fileupload', path.join(folder, name));
    };
    await sendLarge('large.bin', 100 * 1024 ** 2 + 1);
    await alice.getByText(/large\.bin, exceeds the maximum allowed by your server, which is 104\.86 MB/).waitFor();
    const refused = alice.waitForResponse((answer) => answer.request().method() === 'PUT');
    await sendLarge('medium.bin', 5_000_001);
    assert.equal((await refused).status(), 413);
    await alice.getByText('Uploading file: medium.bin, 5 MB').waitFor();
  });

  it('uploads again after the page was closed in mid-upload', async () => {
    const { filer, network, openChat, alice, bob } = await service();
    const before = await filesIn(filer.storeDir);
    network.swallowAfter(500_000);
    const file = { name: 'notes.zip', mimeType: 'application/zip', buffer: Buffer.alloc(2_000_000, 'x') };
    await alice.setInputFiles('.fileupload', file);
    await eventually(async () => (await filesIn(filer.storeDir)).length > before.length);
    await alice.close();
    await eventually(async () => (await filesIn(filer.storeDir)).length === before.length);
    network.swallowAfter(Number.POSITIVE_INFINITY);

    const again = await openChat('alice', 'bob');
    await again.setInputFiles('.fileupload', file);
    const link = await bob.waitForSelector('converse-chat-message a[href$="/notes.zip"]');
    const answer = await fetch(String(await link.getAttribute('href')));
    assert.ok(file.buffer.equals(Buffer.from(await answer.arrayBuffer())));
  });
});
