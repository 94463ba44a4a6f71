import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeSnippets } from '../../src/config/snippets.js';
import { readmeBlock, withNames } from '../support/readme.js';

it("the snippets of init are the README's, which the tests load into the servers", () => {
  const names = { baseUrl: 'https://files.example.net/a/b/', secret: 's3cret', domain: 'example.org' };
  const snippets = makeSnippets({ ...names, deleteSecret: 'd3lete' });
  const fromReadme = (language: string, containing: string) => withNames(readmeBlock(language, containing), names);
  assert.equal(snippets.prosodyFileShare, fromReadme('lua', 'http_file_share_base_url'));
  assert.equal(snippets.ejabberd, fromReadme('yaml', 'external_secret'));
});
