import { describe, it } from 'node:test';
import { layoutSettings, nginxLayouts } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { checkInBrowser } from './browser-checks.js';
import { startNginx, startNginxLayout } from './nginx.js';

describe('a web client on another site', { skip: missingPeer('chromium', 'nginx', 'openssl') }, () => {
  it('works with the server itself', async (t) => {
    await checkInBrowser(t, await startProgram(t));
  });

  it("works with the README's nginx before it", async (t) => {
    const { origin, secret } = await startProgram(t);
    const nginx = await startNginx(t, readmeBlock('nginx', 'proxy_pass').replace('http://127.0.0.1:5050', origin));
    await checkInBrowser(t, { uploadUrl: `${nginx}/upload/`, secret });
  });

  for (const layout of nginxLayouts) {
    it(`works with layout (${layout}) of nginx.example.conf before it, by HTTP/2`, async (t) => {
      const program = await startProgram(t, layoutSettings[layout]);
      const nginx = await startNginxLayout(t, layout, program);
      await checkInBrowser(t, { uploadUrl: `${nginx}/upload/`, secret: program.secret });
    });
  }
});
