import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { projectFolder } from '../support/command.js';

const read = (name: string) => readFileSync(path.join(projectFolder, name), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };

it('the README names the version of package.json in each command, and so does npm-shrinkwrap.json', () => {
  const named = [...read('README.md').matchAll(/prosody-filer[-_](\d+\.\d+\.\d+[\w.~-]*?)(?=$|[ _`-])/gm)];
  assert.ok(named.length >= 3);
  assert.deepEqual(new Set(named.map(([, found]) => found)), new Set([version]));
  assert.equal(JSON.parse(read('npm-shrinkwrap.json')).version, version);
});
