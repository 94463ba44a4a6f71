import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PutBucketCorsCommand } from '@aws-sdk/client-s3';
import { S3Bucket } from '../../src/storage/s3/s3-bucket.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { type Ceph, cephPrograms, sharedCeph } from '../support/ceph.js';
import { mainFile, run } from '../support/command.js';
import { nginxOfInit } from '../support/init-lines.js';
import { layoutSettings, nginxLayouts } from '../support/nginx-example.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { startOnBucket } from '../support/s3-program.js';
import { optionsFor } from '../support/s3-service.js';
import { openWebClient, sharedBrowser } from './browser.js';
import { checkInBrowser } from './browser-checks.js';
import type { Finding } from './examination.js';
import { startNginx, startNginxLayout } from './nginx.js';

describe('a web client on another site', { skip: missingPeer('chromium', 'nginx', 'openssl') }, () => {
  const browser = sharedBrowser();

  it('works with the server itself', async (t) => {
    await checkInBrowser(t, await browser(), await startProgram(t));
  });

  it('works with the nginx of init before it', async (t) => {
    const program = await startProgram(t, layoutSettings.b);
    const nginx = await startNginx(t, ...nginxOfInit(program));
    await checkInBrowser(t, await browser(), { uploadUrl: `${nginx}/upload/`, secret: program.secret });
  });

  for (const layout of nginxLayouts) {
    it(`works with layout (${layout}) of nginx.example.conf before it, by HTTP/2`, async (t) => {
      const program = await startProgram(t, layoutSettings[layout]);
      const nginx = await startNginxLayout(t, layout, program);
      const service = { uploadUrl: `${nginx}/upload/`, secret: program.secret };
      await checkInBrowser(t, await browser(), service, { readsTexts: layout !== 'c' });
    });
  }
});

describe('a web client on another site and a bucket', { skip: missingPeer('chromium', ...cephPrograms) }, () => {
  const [browser, ceph] = [sharedBrowser(), sharedCeph()];

  /** Gives the bucket the CORS rules that check-config prints for a configuration. */
  async function allowPages(peer: Ceph, bucket: string, configFile: string): Promise<void> {
    const { stdout } = await run(process.execPath, [mainFile, 'check-config', '--json', '--config', configFile]);
    const findings: Finding[] = JSON.parse(stdout).findings;
    const { paste = '' } = findings.find(({ change }) => change?.includes('put-bucket-cors')) ?? {};
    const CORSConfiguration = JSON.parse(paste);
    await peer.client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration }));
  }

  it('works with downloads that the bucket sends', async (t) => {
    const peer = await ceph();
    const program = await startOnBucket(t, peer, { s3: { download: 'redirect' } });
    await allowPages(peer, program.bucket, program.configFile);
    await checkInBrowser(t, await browser(), program, { sendsNosniff: false });
  });

  it('uploads to the bucket itself if its CORS rules allow it', async (t) => {
    const peer = await ceph();
    const component = { jid: 'upload.localhost', secret: 'c', upload: 'direct', baseUrl: 'https://localhost/upload/' };
    const program = await startOnBucket(t, peer, { component });
    const signer = new S3Bucket(optionsFor(peer, program.bucket), 60_000);
    const client = await openWebClient(t, await browser());
    const body = Buffer.from('GIF89a');
    const upload = async (name: string) => {
      const url = await signer.signPut(`slot/${name}` as UploadKey, body.length, 'image/gif', 60);
      const headers = { 'content-type': 'image/gif' };
      return client.call<{ status: number }>('upload', url, client.serve(body), headers);
    };
    assert.equal((await upload('before.gif')).status, 0);
    await allowPages(peer, program.bucket, program.configFile);
    assert.equal((await upload('after.gif')).status, 200);
    assert.deepEqual(await program.contents(), ['slot/after.gif']);
    const url = `${program.uploadUrl}slot/after.gif`;
    assert.deepEqual(
      await client
        .call<{ status: number; text: string }>('request', url, {})
        .then(({ status, text }) => [status, text]),
      [200, 'GIF89a'],
    );
  });
});
