import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { programCommand, run } from '../support/command.js';
import { tempDir } from '../support/temp-dir.js';

it('commands escape characters of names that control a terminal or reverse text', async (t) => {
  const folder = await tempDir(t);
  await mkdir(path.join(folder, 'upload/s'), { recursive: true });
  await writeFile(path.join(folder, 'upload/s/\u202egpj.exe'), 'x');
  await writeFile(path.join(folder, 'config.toml'), 'secret = "s3cret"\nstoreDir = "upload"\n');
  const [node = '', ...start] = programCommand;
  const command = (...args: string[]) => run(node, [...start, ...args], folder);

  assert.match((await command('purge', '--older-than', '0s', '--dry-run')).stdout, / 1 s\/\\u202egpj\.exe$/m);
  const json = await command('purge', '--older-than', '0s', '--dry-run', '--json');
  assert.ok(!json.stdout.includes('\u202e'));
  assert.equal(JSON.parse(json.stdout).key, 's/\u202egpj.exe');
  const hostile = 'slot/\u001b]0;x\u0007\u009b31m';
  const { code, stderr } = await command('delete', hostile);
  assert.equal(code, 2);
  assert.match(stderr, /slot\/\\u001b\]0;x\\u0007\\u009b31m/);
  assert.match((await command('stats', hostile)).stderr, /^prosody-filer: [^\p{Cc}]*$/mu);
});
