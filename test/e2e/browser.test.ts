import { describe, it } from 'node:test';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { checkInBrowser } from './browser-checks.js';
import { startNginx } from './nginx.js';

describe('a web client on another site', { skip: missingPeer('chromium', 'nginx') }, () => {
  it('works with the server itself', async (t) => {
    await checkInBrowser(t, await startProgram(t));
  });

  it("works with the README's nginx before it", async (t) => {
    const { origin, secret } = await startProgram(t);
    const nginx = await startNginx(t, readmeBlock('nginx', 'proxy_pass').replace('http://127.0.0.1:5050', origin));
    await checkInBrowser(t, { uploadUrl: `${nginx}/upload/`, secret });
  });
});
