import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { keyOf } from '../../src/commands/delete.js';
import { loadConfig } from '../../src/config/load-config.js';
import { openSlotIssuer } from '../../src/service/open-slot-issuer.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { tempDir } from '../support/temp-dir.js';

const key = 'a/b c/é+.jpg' as UploadKey;
const encoded = 'a/b%20c/%C3%A9%2B.jpg';

async function configOf(t: TestContext, s3: string, component = '') {
  const file = path.join(await tempDir(t), 'config.toml');
  const access = 'bucket = "uploads"\nregion = "eu-central-1"\naccessKeyId = "id"\nsecretAccessKey = "x"\n';
  const slots = component === '' ? '' : `[component]\njid = "u.example.org"\nsecret = "c"\n${component}\n`;
  await writeFile(file, `secret = "k"\nuploadSubDir = "upload/"\n[s3]\n${access}${s3}\n${slots}`);
  return loadConfig(file).config;
}

describe('delete', () => {
  for (const [what, s3, component] of [
    ['baseDomain', 'baseDomain = "Files.example.org"', 'upload = "direct"'],
    ['baseDomain and path', 'baseDomain = "http://localhost:1/b/"\npath = "up/loads"', 'upload = "direct"'],
    ['baseUrl', 'path = "p"', 'upload = "direct"\nbaseUrl = "https://u.example.org/upload/"'],
    ['this program', 'baseDomain = "files.example.org"', 'baseUrl = "https://u.example.org/upload/"'],
  ] as const) {
    it(`accepts both URLs of a slot: ${what}`, async (t) => {
      const config = await configOf(t, s3, component);
      assert.ok(config.component !== undefined);
      const issuer = await openSlotIssuer(config.component, config);
      const planned = { key, size: 1, contentType: undefined, uploader: 'u', expiresAt: undefined };
      const { putUrl, getUrl } = await issuer.issue(planned, Date.now());
      assert.equal(await keyOf(putUrl, config), key);
      assert.equal(await keyOf(getUrl, config), key);
    });
  }

  it('accepts the URLs of redirected downloads', async (t) => {
    const config = await configOf(t, 'path = "p"\ndownload = "redirect"');
    const signed = `https://uploads.s3.eu-central-1.amazonaws.com/p/${encoded}?X-Amz-Signature=1`;
    assert.equal(await keyOf(signed, config), key);
  });

  it('tells the two kinds of URL apart on one domain', async (t) => {
    const config = await configOf(t, 'baseDomain = "u.example.org"\ndownload = "public"');
    assert.equal(await keyOf(`https://u.example.org/upload/${encoded}`, config), key);
    assert.equal(await keyOf(`https://u.example.org/${encoded}`, config), key);
  });

  it('refuses a URL that is not the URL of an upload', async (t) => {
    const config = await configOf(t, 'baseDomain = "files.example.org"\npath = "p"');
    for (const target of [
      'https://files.example.org/other/f',
      'https://files.example.org/p/',
      'https://a/p/s/f',
      '..',
    ]) {
      await assert.rejects(keyOf(target, config), { message: /^expected an upload's URL or its path in the store/ });
    }
  });
});
