import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nginxLocations, nginxUpstream } from '../../src/config/nginx-locations.js';
import { otherProxies, proxySnippet } from '../../src/config/proxy-snippets.js';
import { makeSnippets } from '../../src/config/snippets.js';
import { readmeBlock, withNames } from '../support/readme.js';

it("the snippets of init are the README's, which the tests load into the servers", () => {
  const names = { baseUrl: 'https://files.example.net/a/b/', secret: 's3cret', domain: 'example.org' };
  const snippets = makeSnippets({ ...names, deleteSecret: 'd3lete' });
  const fromReadme = (language: string, containing: string) => withNames(readmeBlock(language, containing), names);
  assert.deepEqual(snippets, {
    prosodyExternal: fromReadme('lua', 'http_upload_external_base_url'),
    prosodyFileShare: fromReadme('lua', 'http_file_share_base_url'),
    ejabberd: fromReadme('yaml', 'external_secret'),
    metronome: fromReadme('lua', 'http_file_delete_secret').replace('another-secret', 'd3lete'),
  });
  assert.equal(nginxUpstream, readmeBlock('nginx', 'upstream'));
  assert.equal(
    nginxLocations(names.baseUrl, '/internal/', '/srv/x/'),
    readmeBlock('nginx', 'proxy_request_buffering off')
      .replace('location /upload/', 'location /a/b/')
      .replace('/var/lib/prosody-filer/upload', '/srv/x')
      .replaceAll('/internal-uploads/', '/internal/'),
  );
});

it("the proxies' snippets of init are the README's, which the tests load into the proxies", () => {
  assert.ok(otherProxies.length > 2);
  for (const proxy of otherProxies) {
    const inReadme = readmeBlock(proxy, '127.0.0.1:5050').replaceAll('/upload/', '/a/b/');
    const expected = inReadme.replace('uploads.example.org', 'files.example.net:8443');
    assert.equal(proxySnippet(proxy, 'https://files.example.net:8443/a/b/'), expected);
  }
});
